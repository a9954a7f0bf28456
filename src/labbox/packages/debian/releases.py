"""Debian's releases: which suites make each one up, and what differs between them."""

import os
from dataclasses import dataclass

from labbox.errors import NotFoundError, UnsupportedError
from labbox.packages.debian.mirrors import DEBIAN, SECURITY

# dpkg's names of architectures (dpkg-architecture(1)) by the kernel's (uname(2)).
_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "armhf",
    "i686": "i386",
    "ppc64le": "ppc64el",
    "riscv64": "riscv64",
    "s390x": "s390x",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianRelease:
    """A release; `extra_packages` are asked for besides the essential ones, to settle a choice as labbox makes it."""

    version: str
    codename: str
    has_security: bool = True
    has_updates: bool = True
    extra_packages: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """How a person names it."""
        return f"debian:{self.version}"

    def suites(self) -> list[tuple[str, str]]:
        """Archive and suite of every index that makes up the release, the release itself first."""
        suites = [(DEBIAN, self.codename)]
        if self.has_updates:
            suites.append((DEBIAN, f"{self.codename}-updates"))
        if self.has_security:
            suites.append((SECURITY, f"{self.codename}-security"))
        return suites


# bookworm's init-system-helpers wants `usrmerge | usr-is-merged`; labbox makes the links of a merged /usr itself, so
# the package that would move files (and its three Perl packages) is not needed.
RELEASES = (
    DebianRelease(version="11", codename="bullseye"),
    DebianRelease(version="12", codename="bookworm", extra_packages=("usr-is-merged",)),
    DebianRelease(version="13", codename="trixie"),
    DebianRelease(version="14", codename="forky"),
    DebianRelease(version="sid", codename="sid", has_security=False, has_updates=False),
)


def find_release(name: str) -> DebianRelease:
    """The release that `debian:13`, `13` or `trixie` names; raises NotFoundError listing the known ones."""
    wanted = name.removeprefix("debian:").removesuffix("-slim").lower()
    for release in RELEASES:
        if wanted in (release.version, release.codename):
            return release
    known = ", ".join(f"`{release.name}` ({release.codename})" for release in RELEASES)
    raise NotFoundError(f"unknown Debian release `{name}`", hint=f"Choose one of {known}.")


def host_architecture() -> str:
    """Debian's name of this machine's architecture."""
    machine = os.uname().machine
    if machine not in _ARCHITECTURES:
        raise UnsupportedError(f"machine type `{machine}` has no Debian architecture that labbox knows")
    return _ARCHITECTURES[machine]
