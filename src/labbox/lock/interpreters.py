"""Which Pythons a locked Debian system has, seen from its packages alone."""

import re
from collections.abc import Iterable, Sequence

from labbox.errors import ResolutionError
from labbox.lock.lab import LockedInterpreter
from labbox.lock.system import LockedDeb, SystemLock
from labbox.packages.debian.index import PackageIndex
from labbox.packages.debian.releases import RELEASES
from labbox.packages.debian.universe import Universe

_UPSTREAM = re.compile(r"(?:\d+:)?(\d+\.\d+(?:\.\d+)?)(?:~?((?:a|b|rc)\d+))?")


def find_interpreter(system: SystemLock, language: str | None = None) -> LockedInterpreter:
    """The Python of a locked system: the one of `language` (`2.7`), or what its package `python3` stands for."""
    if language is None:
        language = ".".join(_upstream(_find(system.debs, "python3", system.release)).split(".")[:2])
    deb = _find(system.debs, f"python{language}", system.release)
    return LockedInterpreter(version=_upstream(deb), path=f"/usr/bin/python{language}", abi=abi_of(language))


def abi_of(language: str) -> str:
    """The tag of the ABI of Debian's Python: `cp313`; before 3.8 with the letters that tell how it was compiled."""
    major, minor = map(int, language.split("."))
    if major == 2:
        return f"cp{major}{minor}mu"
    return f"cp{major}{minor}" + ("m" if minor < 8 else "")


def interpreter_packages(indexes: Sequence[PackageIndex], architecture: str, release: str, language: str) -> list[str]:
    """The Debian packages to ask for so that a release has that Python; ResolutionError when it has none such."""
    universe = Universe(indexes, architecture)
    usual = universe.candidate("python3")
    have = usual.version if usual is not None else ""
    if have.startswith(f"{language}."):
        return []
    if universe.candidate(f"python{language}") is None:
        others = ", ".join(f"`{other.name}`" for other in RELEASES if other.name != release)
        raise ResolutionError(
            f"{release} has no Python {language}",
            hint=f"Leave `python` out for its {'.'.join(have.split('.')[:2])}, or choose another system ({others}).",
        )
    return [f"python{language}"]


def glibc_of(system: SystemLock) -> tuple[int, int]:
    """The version of a locked system's C library."""
    major, minor = _upstream(_find(system.debs, "libc6", system.release)).split(".")[:2]
    return int(major), int(minor)


def _find(debs: Iterable[LockedDeb], name: str, release: str) -> LockedDeb:
    for deb in debs:
        if deb.name == name:
            return deb
    raise ResolutionError(f"the locked system {release} has no package `{name}`", hint="Lock again with --upgrade.")


def _upstream(deb: LockedDeb) -> str:
    match = _UPSTREAM.match(deb.version)
    assert match is not None, deb.version
    return match.group(1) + (match.group(2) or "")
