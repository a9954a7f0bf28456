"""Locks of labs, made by hand."""

import hashlib

from labbox.build.debian.normalise import ASSEMBLER_VERSION
from labbox.lock.lab import LAYOUT_VERSION, LabLock, LockedInterpreter, LockedSource, LockedWheel
from labbox.lock.system import LockedDeb, LockedSuite, SystemLock
from labbox.packages.debian.releases import host_architecture
from packages.python.wheels import MadeFile

_PYTHON = LockedInterpreter(version="3.13.5", path="/usr/bin/python3.13", abi="cp313")


def make_deb(name: str, version: str = "1", *, manual: bool = True, essential: bool = False) -> LockedDeb:
    """A package of a system."""
    return LockedDeb(
        name=name,
        version=version,
        architecture=host_architecture(),
        archive="debian",
        path=f"pool/{name}_{version}.deb",
        size=5,
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        manual=manual,
        essential=essential,
    )


def make_system_lock() -> SystemLock:
    """A system with what every lab has."""
    return SystemLock(
        release="debian:13",
        architecture=host_architecture(),
        epoch=1767225600,
        fetched_at="2026-01-01T08:00:00+00:00",
        assembler=ASSEMBLER_VERSION,
        suites=(
            LockedSuite(
                archive="debian",
                suite="trixie",
                inrelease_sha256="11" * 32,
                packages_sha256="22" * 32,
                date="2026-01-01T00:00:00+00:00",
            ),
        ),
        debs=(
            make_deb("base-files", essential=True),
            make_deb("ca-certificates"),
            make_deb("libc6", "2.41-12+deb13u4", manual=False),
            make_deb("python3", "3.13.5-1"),
            make_deb("python3.13", "3.13.5-2+deb13u1", manual=False),
            make_deb("sudo"),
        ),
    )


def make_locked_wheel(name: str, version: str = "1.0", source: LockedSource | None = None) -> LockedWheel:
    """A wheel that nobody has."""
    file_name = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    return LockedWheel(
        name=name,
        version=version,
        file_name=file_name,
        url="" if source else f"https://files.example/{file_name}",
        size=7,
        sha256=hashlib.sha256(file_name.encode()).hexdigest(),
        uploaded=1777622400 if source is None else 0,
        source=source,
    )


def lock_made_wheel(file: MadeFile, url: str) -> LockedWheel:
    """A made wheel as a lock names it."""
    name, version = file.name.split("-")[:2]
    return LockedWheel(
        name=name.replace("_", "-"),
        version=version,
        file_name=file.name,
        url=url,
        size=len(file.content),
        sha256=file.sha256,
    )


def make_lab_lock(request: str = "44" * 32) -> LabLock:
    """A lab of three packages and no services."""
    source = LockedSource(url="https://files.example/c-1.0.tar.gz", sha256="33" * 32)
    return LabLock(
        request=request,
        layout=LAYOUT_VERSION,
        platform=f"linux/{host_architecture()}",
        epoch=1777622400,
        locked_at="2026-05-01T08:00:00+00:00",
        system=make_system_lock(),
        additions=(make_deb("jq"),),
        interpreter=_PYTHON,
        services_interpreter=_PYTHON,
        packages=(make_locked_wheel("a"), make_locked_wheel("b"), make_locked_wheel("c", source=source)),
        services=(),
    )
