"""Files to be copied, read from a folder of this host or from the merged layers of a stage: one entry after another."""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from labbox.build.dockerfile.ignore import NO_RULES, IgnoreRules
from labbox.build.dockerfile.paths import Match, open_inside
from labbox.oci.canonical_tar import TarEntry
from labbox.store.ownership import Ownership, SideEntry
from labbox.store.pack import Folder, InodeReader

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY
_CHUNK = 1 << 20


class Item(NamedTuple):
    """One file or folder below a match: its path there (empty: the match itself), its entry, an open descriptor."""

    inside: str
    entry: TarEntry
    descriptor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSource:
    """A tree open at `root`; `keeps_owners` says whether its owners and attributes are those of an image."""

    root: int
    ignore: IgnoreRules = NO_RULES
    excludes: IgnoreRules = NO_RULES
    keeps_owners: bool = False
    ownership: Ownership = "kept"
    side_table: Mapping[bytes, SideEntry] = field(default_factory=dict)

    def leaves_out(self, path: str, inside: str = "") -> bool:
        """True when the context's rules leave a path out, or the step's own: those mean paths below a source too."""
        if not path:
            return False
        names = {path, inside or path.rpartition("/")[2]}
        return self.ignore.ignores(path) or any(map(self.excludes.ignores, names))

    def walk(self, match: Match) -> Iterator[Item]:
        """The match and everything below it, folders before what they hold; a descriptor is closed by the next step."""
        reader = InodeReader(self.ownership, self.side_table, None)
        parent, _, name = match.real.rpartition("/")
        if not name:
            descriptor = open_inside(self.root, "", _FOLDER_FLAGS)
            status = os.fstat(descriptor)
            entry = TarEntry(b"", "directory", stat.S_IMODE(status.st_mode), mtime=int(status.st_mtime))
            if self.keeps_owners and self.ownership == "kept":
                entry = entry._replace(uid=status.st_uid, gid=status.st_gid)
            try:
                yield Item("", entry, descriptor)
                yield from self._below(reader, descriptor, "", "")
            finally:
                os.close(descriptor)
            return
        descriptor = open_inside(self.root, parent, _FOLDER_FLAGS)
        try:
            yield from self._visit(reader, Folder(descriptor, os.fsencode(parent), []), name, "")
        finally:
            os.close(descriptor)

    def _below(self, reader: InodeReader, descriptor: int, path: str, inside: str) -> Iterator[Item]:
        folder = Folder(descriptor, os.fsencode(path), [])
        for name in sorted(os.listdir(descriptor)):
            yield from self._visit(reader, folder, name, f"{inside}/{name}".lstrip("/"))

    def _visit(self, reader: InodeReader, folder: Folder, name: str, inside: str) -> Iterator[Item]:
        found = reader.read(folder, os.fsencode(name))
        if found is None or found.is_whiteout:
            return
        path = os.fsdecode(found.entry.path)
        try:
            is_folder = found.entry.kind == "directory"
            left_out = self.leaves_out(path, inside)
            if left_out and not (is_folder and (self.ignore.has_exceptions or self.excludes.has_exceptions)):
                return
            entry = found.entry if self.keeps_owners else found.entry._replace(uid=0, gid=0, xattrs=())
            if not left_out:
                yield Item(inside, entry, found.descriptor)
            if is_folder and found.descriptor is not None:
                yield from self._below(reader, found.descriptor, path, inside)
        finally:
            found.close()


def hash_matches(source: TreeSource, matches: list[Match]) -> str:
    """A digest of names, kinds, modes and contents; neither times nor owners of the host count."""
    total = hashlib.sha256()
    for match in matches:
        total.update(b"source\0" + os.fsencode(match.name) + b"\0")
        for item in source.walk(match):
            entry = item.entry
            said = f"{item.inside}\0{entry.kind}\0{entry.mode:o}\0{os.fsdecode(entry.target)}\0{entry.size_bytes}\0"
            total.update(said.encode("utf-8", "surrogateescape"))
            if entry.kind == "file" and item.descriptor is not None:
                while data := os.read(item.descriptor, _CHUNK):
                    total.update(data)
    return total.hexdigest()
