"""From a release and a list of package names to a system's lock."""

from collections.abc import Sequence
from datetime import datetime

from labbox.errors import ResolutionError
from labbox.lock.system import LockedDeb, LockedSuite, SystemLock
from labbox.packages.debian.index import BinaryPackage, PackageIndex
from labbox.packages.debian.releases import DebianRelease
from labbox.packages.debian.solver import Resolution, resolve_addition, resolve_system
from labbox.packages.debian.suites import Suite
from labbox.packages.debian.universe import Universe


def lock_system(
    release: DebianRelease,
    suites: Sequence[Suite],
    wanted: Sequence[str],
    *,
    architecture: str,
    assembler: int,
    now: datetime,
) -> SystemLock:
    """The lock of the release's base system with the wanted packages, chosen from the suites as they stand.

    The epoch is the date of the newest suite: never older than any package, and the same for the same indexes.
    """
    universe = Universe([suite.index for suite in suites], architecture)
    resolution = resolve_system(universe, wanted, base_extras=release.extra_packages)
    return SystemLock(
        release=release.name,
        architecture=architecture,
        epoch=int(max(suite.date for suite in suites).timestamp()),
        fetched_at=now.replace(microsecond=0).isoformat(),
        assembler=assembler,
        suites=tuple(_lock_suite(suite) for suite in suites),
        debs=lock_debs(resolution),
    )


def lock_debs(resolution: Resolution) -> tuple[LockedDeb, ...]:
    """The files of resolved packages, by name."""
    return tuple(_lock_deb(package, resolution) for package in resolution.packages)


def _lock_suite(suite: Suite) -> LockedSuite:
    return LockedSuite(
        archive=suite.archive,
        suite=suite.name,
        inrelease_sha256=suite.inrelease_sha256,
        packages_sha256=suite.packages_sha256,
        date=suite.date.isoformat(),
    )


def _lock_deb(package: BinaryPackage, resolution: Resolution) -> LockedDeb:
    return LockedDeb(
        name=package.name,
        version=package.version,
        architecture=package.architecture,
        archive=package.archive,
        path=package.path,
        size=package.size,
        sha256=package.sha256,
        manual=package.name in resolution.manual,
        essential=package.name in resolution.base,
    )


def lock_addition(base: SystemLock, indexes: Sequence[PackageIndex], wanted: Sequence[str]) -> tuple[LockedDeb, ...]:
    """The files that must be added to a locked system to have the wanted packages, by name.

    The indexes are those of the base's lock, so that nothing installed needs another version. Raises ResolutionError
    when a package of the base is not in them.
    """
    universe = Universe(indexes, base.architecture)
    for deb in base.debs:
        universe.choose_version(deb.name, deb.version)
    installed = [_find_installed(universe, deb) for deb in base.debs]
    return lock_debs(resolve_addition(universe, wanted, installed))


def _find_installed(universe: Universe, deb: LockedDeb) -> BinaryPackage:
    package = universe.candidate(deb.name)
    if package is None:
        raise ResolutionError(
            f"package `{deb.name}` {deb.version} of the system is not in the archive any more",
            hint="Lock the whole system again.",
        )
    return package
