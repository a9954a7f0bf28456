"""Of all the files of a package the one to lock: the best wheel for a platform, or its source archive."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.tags import Tag
from packaging.utils import BuildTag, InvalidWheelFilename, parse_wheel_filename

from labbox.errors import ResolutionError
from labbox.packages.python.pylock import PylockFile, PylockPackage


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenFile:
    """The file that a package is installed from, a wheel or, with `is_source`, what a wheel is to be built from."""

    name: str
    version: str
    file: PylockFile
    is_source: bool


def choose_file(package: PylockPackage, ranks: Mapping[Tag, int], allowed: frozenset[str] | None = None) -> ChosenFile:
    """The file of a package whose sha256 is allowed; ResolutionError when nothing fits."""
    label = f"`{package.name}` {package.version}"
    wheels = _compatible(package.wheels, ranks)
    files = [*wheels, *([package.source] if package.source else [])]
    if not files:
        have = ", ".join(sorted(_describe(wheel) for wheel in package.wheels)[:4])
        raise ResolutionError(
            f"there is no wheel of {label} for the lab's platform, and no source to build one from"
            + (f"; there are wheels for {have}" if have else ""),
            hint=f"Ask for another version of `{package.name}`, or for another Python.",
        )
    if not files[0].sha256:
        raise ResolutionError(
            f"the index gives no sha256 of `{files[0].url}`, so it cannot be locked",
            hint="Use an index that gives hashes (PEP 503), or download the file and name its folder in find_links.",
        )
    for file in files:
        if allowed is None or file.sha256 in allowed:
            is_source = file is package.source and file not in wheels
            return ChosenFile(name=package.name, version=package.version, file=file, is_source=is_source)
    raise ResolutionError(
        f"no file of {label} for the lab's platform has a sha256 that the requirements file allows; "
        f"the index has sha256:{files[0].sha256} for `{files[0].file_name}`",
        hint="If the file was not tampered with, make the hashes again, for instance with `pip-compile` or `uv`.",
    )


def rank_tags(tags: Sequence[Tag]) -> dict[Tag, int]:
    """The place of each tag, 0 for the best."""
    return {tag: rank for rank, tag in enumerate(tags)}


def _compatible(wheels: Sequence[PylockFile], ranks: Mapping[Tag, int]) -> list[PylockFile]:
    """The wheels that can be installed, the best first; of equal ones that of the highest build number."""
    ranked: list[tuple[int, BuildTag, PylockFile]] = []
    for wheel in wheels:
        try:
            _, _, build, tags = parse_wheel_filename(wheel.file_name)
        except InvalidWheelFilename:
            continue
        fitting = [ranks[tag] for tag in tags if tag in ranks]
        if fitting:
            ranked.append((min(fitting), build, wheel))
    ranked.sort(key=lambda entry: entry[1] or (0, ""), reverse=True)
    ranked.sort(key=lambda entry: entry[0])
    return [wheel for _, _, wheel in ranked]


def _describe(wheel: PylockFile) -> str:
    return "-".join(wheel.file_name.removesuffix(".whl").split("-")[-3:])
