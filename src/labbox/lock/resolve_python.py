"""From wanted Python packages to wheels with hashes, and to the sources of which wheels are still to be built."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from labbox.errors import ResolutionError
from labbox.lock.lab import LockedWheel, PendingSource
from labbox.lock.upgrade import Upgrade
from labbox.packages.patience import Patience
from labbox.packages.python.platform import PythonPlatform
from labbox.packages.python.pylock import PylockFile, PylockPackage
from labbox.packages.python.requirements_files import allowed_hashes, read_requirements_files
from labbox.packages.python.resolution import Resolution, compile_packages, export_project
from labbox.packages.python.uv import Uv
from labbox.packages.python.wanted import WantedPackages
from labbox.packages.python.wheel_choice import ChosenFile, choose_file, rank_tags
from labbox.packages.transport import Transport, without_login

_CONNECTIONS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedPython:
    """The wheels by name, the sources to build, and what the user should know, a sentence each."""

    wheels: tuple[LockedWheel, ...]
    sources: tuple[PendingSource, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonResolver:
    """Resolves for one platform in one project folder."""

    uv: Uv
    platform: PythonPlatform
    folder: str
    size_of: Callable[[str], int] = field()

    def resolve(self, wanted: WantedPackages, *, kept: Sequence[LockedWheel], upgrade: Upgrade) -> ResolvedPython:
        """The wheels for what is wanted; versions of `kept` stay unless they are to be upgraded or no longer fit."""
        preferred = upgrade.preferred(kept)
        if wanted.project and os.path.exists(os.path.join(self.folder, "uv.lock")):
            resolution = self._extend_uv_lock(wanted, preferred)
        else:
            resolution = compile_packages(self.uv, wanted, self.platform, folder=self.folder, preferred=preferred)
        return self._choose(resolution, wanted, kept)

    def _extend_uv_lock(self, wanted: WantedPackages, preferred: Mapping[str, str]) -> Resolution:
        """What uv.lock says, with what is wanted besides resolved so that nothing of it changes."""
        exported = export_project(self.uv, wanted.groups, self.platform, folder=self.folder)
        locked = {package.name for package in exported.packages}
        if not wanted.files and all(_is_there(line, exported.packages) for line in wanted.requirements):
            return exported
        pins = tuple(f"{each.name}=={each.version}" for each in exported.packages if each.version)
        more = compile_packages(
            self.uv,
            replace(wanted, project=False, groups=(), constraints=pins),
            self.platform,
            folder=self.folder,
            preferred=preferred,
        )
        added = [package for package in more.packages if package.name not in locked]
        packages = sorted([*exported.packages, *added], key=lambda package: package.name)
        return Resolution(packages=tuple(packages), warnings=(*exported.warnings, *more.warnings))

    def _choose(self, resolution: Resolution, wanted: WantedPackages, kept: Sequence[LockedWheel]) -> ResolvedPython:
        allowed = allowed_hashes(read_requirements_files(self.folder, wanted.files))
        ranks = rank_tags(self.platform.tags())
        chosen: list[ChosenFile] = []
        notes = list(resolution.warnings)
        for package in resolution.packages:
            if package.folder:
                notes.append(_note_folder(package, self.folder))
            else:
                _refuse_repository(package)
                chosen.append(choose_file(package, ranks, allowed.get(package.name)))
        sizes = self._sizes([each.file for each in chosen if not each.is_source], kept)
        built = {wheel.source.sha256: wheel for wheel in kept if wheel.source is not None}
        wheels = [_lock_wheel(each, sizes[each.file.sha256]) for each in chosen if not each.is_source]
        wheels += [built[each.file.sha256] for each in chosen if each.is_source and each.file.sha256 in built]
        sources = [_pending(each) for each in chosen if each.is_source and each.file.sha256 not in built]
        return ResolvedPython(
            wheels=tuple(sorted(wheels, key=lambda wheel: wheel.name)), sources=tuple(sources), notes=tuple(notes)
        )

    def _sizes(self, files: Sequence[PylockFile], kept: Sequence[LockedWheel]) -> dict[str, int]:
        """Sizes by sha256: what the index or the old lock says, else what the servers say."""
        known = {wheel.sha256: wheel.size for wheel in kept} | {file.sha256: file.size for file in files if file.size}
        unknown = {file.sha256: file.url for file in files if file.sha256 not in known}
        if unknown:
            with ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="size") as pool:
                known |= dict(zip(unknown, pool.map(self.size_of, unknown.values()), strict=True))
        return known


def make_size_finder(transport: Transport, patience: Patience) -> Callable[[str], int]:
    """A function that tells the size of the file at an address, of http, https or file."""

    def size_of(url: str) -> int:
        parts = urlsplit(url)
        if parts.scheme == "file":
            return os.stat(unquote(parts.path)).st_size
        return patience.first_success([without_login(url)], transport.size_of, label=url.rpartition("/")[2])

    return size_of


def _lock_wheel(chosen: ChosenFile, size: int) -> LockedWheel:
    return LockedWheel(
        name=chosen.name,
        version=chosen.version or chosen.file.file_name.split("-")[1],
        file_name=chosen.file.file_name,
        url=without_login(chosen.file.url),
        size=size,
        sha256=chosen.file.sha256,
        uploaded=chosen.file.uploaded,
    )


def _pending(chosen: ChosenFile) -> PendingSource:
    return PendingSource(
        name=chosen.name,
        version=chosen.version,
        url=without_login(chosen.file.url),
        sha256=chosen.file.sha256,
        uploaded=chosen.file.uploaded,
    )


def _is_there(line: str, packages: Sequence[PylockPackage]) -> bool:
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return False
    name = canonicalize_name(requirement.name)
    return not requirement.extras and any(
        package.name == name and package.version and requirement.specifier.contains(package.version, prereleases=True)
        for package in packages
    )


def _note_folder(package: PylockPackage, project: str) -> str:
    place = os.path.relpath(package.folder, os.path.realpath(project))
    return (
        f"`{package.name}` is a folder (`{place}`): what it depends on is locked, the package itself is not. "
        f"Inside, `pip install --no-deps -e {place}` installs it."
    )


def _refuse_repository(package: PylockPackage) -> None:
    if package.repository:
        raise ResolutionError(
            f"`{package.name}` comes from the repository `{package.repository}`, of which nothing has a sha256",
            hint=f"Name an archive of the commit: `{package.name} @ {package.repository.removesuffix('.git')}"
            "/archive/<commit>.tar.gz`.",
        )
