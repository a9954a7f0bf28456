"""What the chamber is told: the package files, and what decides how they are laid."""

from collections.abc import Sequence
from dataclasses import dataclass

from labbox.build.debian.database import DatabaseEntry
from labbox.build.debian.unpack import UnpackedPackage
from labbox.packages.debian.deb_file import DebControl, DebFile
from labbox.store.ownership import Ownership


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFile:
    """A package's open file. `essential` ones are unpacked first; `manual` ones were asked for by a person."""

    name: str
    deb: DebFile
    size: int
    essential: bool
    manual: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AssemblyPlan:
    """What to assemble; no file is younger than `epoch`, and `sources` is the text of apt's debian.sources."""

    packages: Sequence[PackageFile]
    architecture: str
    epoch: int
    ownership: Ownership
    sources: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package whose control part was read and, when `unpacked` is there, whose files were laid."""

    file: PackageFile
    control: DebControl
    unpacked: UnpackedPackage | None = None

    @property
    def name(self) -> str:
        """The package's name."""
        return self.file.name

    def database_entry(self) -> DatabaseEntry:
        """The laid package as dpkg's database has it."""
        assert self.unpacked is not None
        return DatabaseEntry(control=self.control, paths=self.unpacked.paths, conffiles=self.unpacked.conffiles)


def script_environment(epoch: int) -> dict[str, str]:
    """The environment of maintainer scripts: no questions, no languages, no fsync, the epoch as the time."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "DEBIAN_FRONTEND": "noninteractive",
        "DEBCONF_NONINTERACTIVE_SEEN": "true",
        "SOURCE_DATE_EPOCH": str(epoch),
        "FORCE_SOURCE_DATE": "1",  # TeX
        "PKGSYSTEM_ENABLE_FSYNC": "0",  # shared-mime-info
    }
