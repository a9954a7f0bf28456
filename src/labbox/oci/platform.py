"""Platforms: the machine and system an image is made for (image-spec config.md, names as Go spells them)."""

from labbox.errors import UsageError
from labbox.lightweight_typing import NamedTuple

# uname(2) machine names and docker's aliases -> GOARCH and variant
_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "amd64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "arm64": ("arm64", ""),
    "armv7l": ("arm", "v7"),
    "armhf": ("arm", "v7"),
    "arm": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "386": ("386", ""),
    "ppc64le": ("ppc64le", ""),
    "riscv64": ("riscv64", ""),
    "s390x": ("s390x", ""),
}
_SYSTEM_MACHINE_VARIANT = 3


class Platform(NamedTuple):
    """A system, a machine and, for some machines, a variant: `linux/amd64`, `linux/arm/v7`."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


def machine_platform(machine: str) -> Platform:
    """The platform of a Linux machine by its uname(2) name; an unknown name is kept as it is."""
    architecture, variant = _ARCHITECTURES.get(machine.lower(), (machine, ""))
    return Platform("linux", architecture, variant)


def parse_platform(text: str) -> Platform:
    """The platform in docker's `--platform os/arch[/variant]`; a machine alone means Linux."""
    parts = text.lower().split("/")
    if not all(parts) or len(parts) > _SYSTEM_MACHINE_VARIANT:
        raise UsageError(f"invalid platform `{text}`: expected os/architecture[/variant]")
    if len(parts) == 1:
        if parts[0] not in _ARCHITECTURES:
            raise UsageError(f"invalid platform `{text}`: unknown architecture")
        return machine_platform(parts[0])
    architecture, variant = _ARCHITECTURES.get(parts[1], (parts[1], ""))
    given_variant = parts[2] if len(parts) == _SYSTEM_MACHINE_VARIANT else variant
    return Platform(parts[0], architecture, "" if (architecture, given_variant) == ("arm64", "v8") else given_variant)


def serves(offered: Platform, wanted: Platform) -> bool:
    """True when an image for `offered` runs on `wanted`; a variant left out on one side matches any."""
    if (offered.os, offered.architecture) != (wanted.os, wanted.architecture):
        return False
    return _variant(offered) == _variant(wanted) or not offered.variant or not wanted.variant


def _variant(platform: Platform) -> str:
    return "" if (platform.architecture, platform.variant) == ("arm64", "v8") else platform.variant
