"""From a release and a list of package names to a system's lock."""

from collections.abc import Sequence
from datetime import datetime

from labbox.lock.system import LockedDeb, LockedSuite, SystemLock
from labbox.packages.debian.index import BinaryPackage
from labbox.packages.debian.releases import DebianRelease
from labbox.packages.debian.solver import Resolution, resolve_system
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
