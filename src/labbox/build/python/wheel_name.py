"""What the name of a wheel's file says, and whether such a wheel fits a Python on Linux.

Source: packaging.python.org, "Binary distribution format" (file name convention) and "Platform compatibility tags".
"""

import re
from dataclasses import dataclass

from labbox.errors import ArchiveError, UnsupportedError

_SEPARATORS = re.compile(r"[-_.]+")
_VERSION_SEPARATORS = re.compile(r"[-_.+]+")
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelName:
    """The parts of `{name}-{version}(-{build})-{python}-{abi}-{platform}.whl`; tags that are joined by dots, apart."""

    name: str
    version: str
    pythons: tuple[str, ...]
    abis: tuple[str, ...]
    platforms: tuple[str, ...]


def parse_wheel_name(file_name: str) -> WheelName:
    """The parts of a wheel's file name; raises ArchiveError when it has others."""
    stem = file_name.removesuffix(".whl")
    parts = stem.split("-")
    if stem == file_name or len(parts) not in (5, 6) or "/" in stem or not all(parts):
        raise ArchiveError(f"`{file_name}` is no name of a wheel: expected name-version-python-abi-platform.whl")
    python, abi, platform = (tuple(part.split(".")) for part in parts[-3:])
    return WheelName(name=normalise_name(parts[0]), version=parts[1], pythons=python, abis=abi, platforms=platform)


def check_wheel_fits(file_name: str, language: str, machine: str) -> None:
    """Raise UnsupportedError for a wheel that CPython `language` (`3.13`) on Linux and `machine` (`x86_64`) cannot use.

    The version of libc is not looked at: whoever chose the wheel knows the system that it is for.
    """
    wheel = parse_wheel_name(file_name)
    if not any(_fits_platform(platform, machine) for platform in wheel.platforms):
        raise UnsupportedError(f"`{file_name}` is for {' and '.join(wheel.platforms)}, not for Linux on {machine}")
    if not any(_fits_python(python, abi, language) for python in wheel.pythons for abi in wheel.abis):
        wanted = " and ".join(wheel.pythons)
        raise UnsupportedError(f"`{file_name}` is for {wanted} ({', '.join(wheel.abis)}), not for Python {language}")


def normalise_name(name: str) -> str:
    """A project's name in its normal form (PEP 503)."""
    return _SEPARATORS.sub("-", name).lower()


def is_same_version(one: str, other: str) -> bool:
    """True for two spellings of one version (PEP 440); a file name writes `_` for what may not stand there."""
    if one == other or _VERSION_SEPARATORS.sub(".", one) == _VERSION_SEPARATORS.sub(".", other):
        return True
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415  (nearly all versions are spelled alike)

    try:
        return Version(one.replace("_", "-")) == Version(other)
    except InvalidVersion:
        return False


def _fits_platform(tag: str, machine: str) -> bool:
    return tag == "any" or (tag.startswith(("linux_", "manylinux")) and tag.endswith(f"_{machine}"))


def _fits_python(python: str, abi: str, language: str) -> bool:
    """Pure wheels for this language or an older one of its generation, and binary ones for this very CPython.

    `abi3` is the stable interface, kept by all later versions.
    """
    wanted = tuple(int(number) for number in language.split("."))
    found = _version_of(python)
    if found is None or found[0] != wanted[0]:
        return False
    if abi == "none":
        return found <= wanted
    if abi == "abi3":
        return python.startswith("cp") and found <= wanted
    tag = f"cp{wanted[0]}{wanted[1]}"
    return python == tag and abi == tag + _abi_suffix(wanted)


def _abi_suffix(language: tuple[int, ...]) -> str:
    """The flags in a CPython's ABI tag: until 3.7 its allocator, until 3.2 the width of its characters (PEP 425)."""
    if language < (3, 3):
        return "mu"
    return "m" if language < (3, 8) else ""


def _version_of(python: str) -> tuple[int, ...] | None:
    """The version in a Python tag: `py3` is (3,), `cp313` is (3, 13)."""
    digits = python[2:]
    if python[:2] not in ("py", "cp") or not _NUMBERS.fullmatch(digits):
        return None
    return (int(digits[0]), int(digits[1:])) if len(digits) > 1 else (int(digits),)
