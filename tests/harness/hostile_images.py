"""Images that mean harm: the tiny image with some entries replaced or added."""

import io
import tarfile
from typing import NamedTuple

from harness.laboratory import Lab


class Entry(NamedTuple):
    """One tar entry."""

    name: str
    kind: bytes = tarfile.REGTYPE
    content: bytes = b""
    link: str = ""
    mode: int = 0o755
    device: tuple[int, int] = (0, 0)


def symlink(name: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(name, tarfile.SYMTYPE, link=target)


def hardlink(name: str, target: str) -> Entry:
    """A hard link."""
    return Entry(name, tarfile.LNKTYPE, link=target)


def write_archive(tiny: str, path: str, entries: list[Entry], *, first: bool = False) -> None:
    """Write the tiny image's archive with these entries in place of those of the same names (or below them)."""
    replaced = tuple(entry.name for entry in entries)
    with tarfile.open(tiny) as source, tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as target:
        if first:
            _add_all(target, entries)
        for member in source:
            if not any(member.name == name or member.name.startswith(f"{name}/") for name in replaced):
                target.addfile(member, source.extractfile(member) if member.isreg() else None)
        if not first:
            _add_all(target, entries)


def write_bare_archive(path: str, entries: list[Entry]) -> None:
    """Write an archive of these entries alone."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as target:
        _add_all(target, entries)


def import_hostile(lab: Lab, entries: list[Entry], name: str = "hostile") -> str:
    """Import the tiny image with changed entries; the image's name."""
    path = f"{lab.folder('archives')}/{name}.tar"
    write_archive(lab.archive, path, entries)
    lab.output("import", path, name)
    return name


def _add_all(archive: tarfile.TarFile, entries: list[Entry]) -> None:
    for entry in entries:
        member = tarfile.TarInfo(entry.name)
        member.type, member.mode, member.linkname, member.size = entry.kind, entry.mode, entry.link, len(entry.content)
        member.devmajor, member.devminor = entry.device
        archive.addfile(member, io.BytesIO(entry.content))
