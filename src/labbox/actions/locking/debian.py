"""A Debian release as a lab's system: its packages locked, and the Pythons among them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from labbox.actions.locking.system_part import SystemPart
from labbox.build.debian.normalise import ASSEMBLER_VERSION
from labbox.definition.values import Definition
from labbox.lock.interpreters import find_interpreter, glibc_of, interpreter_packages
from labbox.lock.lab import LabLock
from labbox.lock.lab_request import LAB_BASE
from labbox.lock.resolve_system import lock_addition, lock_system
from labbox.lock.system import LockedDeb, SystemLock
from labbox.lock.upgrade import Upgrade
from labbox.packages.debian.archive import Archive, open_archive
from labbox.packages.debian.index import PackageIndex
from labbox.packages.debian.releases import DebianRelease, host_architecture
from labbox.settings import Settings, read_config

Report = Callable[[str, int, int], None]


def lock_debian(
    settings: Settings,
    release: DebianRelease,
    definition: Definition,
    old: LabLock | None,
    upgrade: Upgrade,
    environment: Mapping[str, str],
    report: Report,
) -> SystemPart:
    """The release with what a definition wants. What fits of the old lock is kept, and then no archive is asked."""
    kept = _kept_system(old, release, definition, upgrade)
    additions = _kept_additions(old, kept, definition) if old is not None and kept is not None else None
    if kept is None or additions is None:
        report("index", 0, 1)
        with open_archive(settings.cache_dir, environment, read_config(settings)) as archive:
            if kept is None:
                kept, indexes = _resolve(release, definition, archive)
            else:
                indexes = _locked_indexes(kept, archive)
            additions = lock_addition(kept, indexes, _missing(kept, definition.system_packages))
        report("index", 1, 1)
    return SystemPart(
        system=kept,
        glibc=glibc_of(kept),
        additions=additions,
        interpreter=find_interpreter(kept, definition.python.version),
        services_interpreter=find_interpreter(kept),
    )


def _kept_system(
    old: LabLock | None, release: DebianRelease, definition: Definition, upgrade: Upgrade
) -> SystemLock | None:
    """The old lock's system when it is of the release and has what is wanted, under today's rules of assembly."""
    if old is None or not isinstance(old.system, SystemLock) or upgrade.everything:
        return None
    debs = {deb.name for deb in (*old.system.debs, *old.additions)}
    python = {wheel.name for wheel in (*old.packages, *old.services)}
    if old.system.release != release.name or any(name in debs and name not in python for name in upgrade.names):
        return None
    language = definition.python.version
    own = {f"python{language}"} if language and find_interpreter(old.system).language != language else set()
    if _asked_for(old.system.debs) - set(release.extra_packages) != set(LAB_BASE) | own:
        return None
    return replace(old.system, assembler=ASSEMBLER_VERSION)


def _kept_additions(old: LabLock, system: SystemLock, definition: Definition) -> tuple[LockedDeb, ...] | None:
    """The old lock's additions when they are what is wanted."""
    versions = {deb.name: deb.version for deb in old.additions if deb.manual}
    wanted = {_name(each): each.partition("=")[2] for each in _missing(system, definition.system_packages)}
    if wanted.keys() != versions.keys() or any(version not in ("", versions[name]) for name, version in wanted.items()):
        return None
    return old.additions


def _resolve(release: DebianRelease, definition: Definition, archive: Archive) -> tuple[SystemLock, list[PackageIndex]]:
    """A new lock of the release as it stands in the archive now."""
    architecture = host_architecture()
    suites = archive.reader().read_release(release, architecture)
    indexes = [suite.index for suite in suites]
    language = definition.python.version
    own = interpreter_packages(indexes, architecture, release.name, language) if language else []
    system = lock_system(
        release,
        suites,
        [*LAB_BASE, *own],
        architecture=architecture,
        assembler=ASSEMBLER_VERSION,
        now=datetime.now(UTC),
    )
    return system, indexes


def _locked_indexes(system: SystemLock, archive: Archive) -> list[PackageIndex]:
    """The indexes that the system was chosen from: usually in the cache."""
    reader = archive.reader()
    fetched_at = datetime.fromisoformat(system.fetched_at)
    return [
        reader.read_index(suite.archive, suite.suite, system.architecture, suite.packages_sha256, fetched_at)
        for suite in system.suites
    ]


def _asked_for(debs: Iterable[LockedDeb]) -> set[str]:
    return {deb.name for deb in debs if deb.manual and not deb.essential}


def _missing(system: SystemLock, wanted: Iterable[str]) -> list[str]:
    """The wanted packages that the system does not have."""
    have = {deb.name: deb.version for deb in system.debs}
    return sorted(
        {each for each in wanted if _name(each) not in have or each.partition("=")[2] not in ("", have[_name(each)])}
    )


def _name(wanted: str) -> str:
    return wanted.partition("=")[0]
