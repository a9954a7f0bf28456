"""COPY, ADD and WORKDIR: files laid into a merged image.

What is written is what the extractor of archives writes, with the same guarantees. Source of the rules:
docs.docker.com/reference/dockerfile, "COPY"; github.com/tonistiigi/fsutil, copy/copy.go.
"""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

from labbox.build.dockerfile.accounts import find_owner
from labbox.build.dockerfile.ignore import NO_RULES, IgnoreRules
from labbox.build.dockerfile.layering import MergedTree, mount_merged
from labbox.build.dockerfile.modes import change_mode
from labbox.build.dockerfile.paths import Match, find_matches, is_pattern, kind_of, open_inside, resolve_inside
from labbox.build.dockerfile.tree_source import Item, TreeSource
from labbox.errors import ConflictError, LabboxError, NotFoundError, UsageError
from labbox.oci.canonical_tar import TarEntry
from labbox.store.decompress import open_decompressed
from labbox.store.extract import LayerExtractor, extract_tree
from labbox.store.stack import StackedLayer

_FOLDER_MODE = 0o755
_HEADER_BYTES = 512
_CHECKSUM = slice(148, 156)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyPart:
    """Where some of the sources are: a folder of this host, or the layers of a stage (topmost first)."""

    origin: str | tuple[StackedLayer, ...]
    sources: tuple[str, ...]
    ignore: IgnoreRules = NO_RULES
    unpacks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTask:
    """What is to be laid where: `destination` is absolute, with a slash at its end when it is to be a folder."""

    parts: tuple[CopyPart, ...]
    destination: str
    owner: str = ""
    mode: str = ""
    parents: bool = False
    excludes: IgnoreRules = NO_RULES


def copy_into(tree: MergedTree, task: CopyTask) -> bool:
    """Lay the task's files into the tree; NotFoundError for a missing source, ConflictError for what is in the way."""
    owner = find_owner(tree.root, task.owner) if task.owner else None
    with ExitStack() as opened:
        found = []
        for number, part in enumerate(task.parts):
            source = _open_part(opened, tree, part, task.excludes, number)
            found += [(part, source, match) for match in matches_of(source, part.sources)]
        target = _Target(tree, task, owner, is_folder=task.destination.endswith("/") or len(found) > 1)
        plain = [
            (source, match) for part, source, match in found if not (part.unpacks and _unpack(target, source, match))
        ]
        with LayerExtractor(tree.path, mode=tree.ownership, has_whiteouts=False) as extractor:
            extractor.extract(_Feed(target, plain))
            extractor.finish_folders()
            tree.side_table.update(extractor.side_table)
    return True


def make_folder(tree: MergedTree, path: str, user: str) -> bool:
    """A folder (with those above it) that belongs to a user; False when it is there already."""
    real = resolve_inside(tree.root, path.lstrip("/"))
    kind = kind_of(tree.root, real)
    if kind and kind != stat.S_IFDIR:
        raise ConflictError(f"`{path}` is not a directory in the image")
    if kind:
        return False
    owner = find_owner(tree.root, user)
    with LayerExtractor(tree.path, mode=tree.ownership, has_whiteouts=False) as extractor:
        extractor.extract(_Folders([*_missing_folders(tree.root, real, owner)]))
        extractor.finish_folders()
        tree.side_table.update(extractor.side_table)
    return True


def matches_of(source: TreeSource, sources: tuple[str, ...]) -> list[Match]:
    """What the sources of a step mean, in order; raises NotFoundError when nothing is found."""
    found: list[Match] = []
    for text in sources:
        matches = [match for match in find_matches(source.root, text) if not _is_hidden(source, match)]
        if not matches and not (is_pattern(text) and len(sources) > 1):
            raise NotFoundError(
                f"`{text}`: not found", hint="sources are looked up in the build context, less what .dockerignore names"
            )
        found += matches
    if not found:
        raise NotFoundError("no source files were specified")
    return found


def _is_hidden(source: TreeSource, match: Match) -> bool:
    if not source.leaves_out(match.real):
        return False
    return not (source.ignore.has_exceptions and kind_of(source.root, match.real) == stat.S_IFDIR)


def _open_part(opened: ExitStack, tree: MergedTree, part: CopyPart, excludes: IgnoreRules, number: int) -> TreeSource:
    if isinstance(part.origin, str):
        root = os.open(part.origin, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        opened.callback(os.close, root)
        return TreeSource(root=root, ignore=part.ignore, excludes=excludes)
    merged = mount_merged(part.origin, f"{tree.scratch}/origin-{number}")
    root = os.open(merged, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    opened.callback(os.close, root)
    side_table = {path: entry for layer in part.origin[::-1] for path, entry in layer.side_table.items()}
    return TreeSource(root=root, excludes=excludes, keeps_owners=True, ownership=tree.ownership, side_table=side_table)


class _Target:
    """Where things go in the merged tree, and what must not be in the way."""

    def __init__(self, tree: MergedTree, task: CopyTask, owner: tuple[int, int] | None, *, is_folder: bool) -> None:
        self.tree = tree
        self.owner = owner
        self.mode = task.mode
        self._parents = task.parents
        self._path = resolve_inside(tree.root, task.destination.strip("/"))
        self._kind = kind_of(tree.root, self._path)
        self._is_folder = is_folder or self._kind == stat.S_IFDIR or task.parents

    def place(self, match: Match, *, is_folder: bool) -> str:
        """The path that a match gets; a folder's content goes right into the destination."""
        if self._parents:
            return self._below(match.name)
        if is_folder or not self._is_folder:
            return self._path
        return self._below(match.name.rpartition("/")[2])

    @property
    def folder(self) -> str:
        """The destination as the folder that an archive is unpacked into."""
        return self._path

    def folders_to(self, path: str) -> list[TarEntry]:
        """Entries for folders that are missing on a path, itself included; ConflictError when a file is in the way."""
        return list(_missing_folders(self.tree.root, path, self.owner or (0, 0)))

    def check(self, path: str, *, is_folder: bool) -> None:
        """Refuse what docker refuses: a folder in place of something else, and the reverse."""
        kind = kind_of(self.tree.root, path)
        if is_folder and kind not in (0, stat.S_IFDIR):
            raise ConflictError(f"cannot copy to non-directory: /{path}")
        if not is_folder and kind == stat.S_IFDIR:
            raise ConflictError(f"cannot replace to directory /{path} with file")

    def _below(self, name: str) -> str:
        return f"{self._path}/{name}".strip("/")


class _Feed:
    """The entries of all matches as the extractor wants them, with the content of the last one."""

    def __init__(self, target: _Target, found: list[tuple[TreeSource, Match]]) -> None:
        self._target = target
        self._found = found
        self._descriptor: int | None = None

    def read(self, count: int) -> bytes:
        """The next bytes of the file whose entry was given last."""
        return os.read(self._descriptor, count) if self._descriptor is not None else b""

    def __iter__(self) -> Iterator[TarEntry]:
        made: set[bytes] = set()
        for source, match in self._found:
            place = None
            for item in source.walk(match):
                is_folder = item.entry.kind == "directory"
                if place is None:
                    place = self._target.place(match, is_folder=is_folder)
                    above = place if is_folder else place.rpartition("/")[0]
                    for entry in self._target.folders_to(above):
                        if entry.path not in made:
                            made.add(entry.path)
                            yield entry
                    if is_folder and not item.inside:
                        continue  # the destination itself keeps, or has, the usual mode
                path = f"{place}/{item.inside}".strip("/") if item.inside else place
                self._target.check(path, is_folder=is_folder)
                yield self._entry(item, path)

    def _entry(self, item: Item, path: str) -> TarEntry:
        entry = item.entry._replace(path=os.fsencode(path))
        self._descriptor = item.descriptor if entry.kind == "file" else None
        if self._target.owner is not None:
            entry = entry._replace(uid=self._target.owner[0], gid=self._target.owner[1])
        if self._target.mode and entry.kind != "symlink":
            mode = change_mode(entry.mode, self._target.mode, is_folder=entry.kind == "directory")
            entry = entry._replace(mode=mode)
        return entry


class _Folders:
    """Entries without content."""

    def __init__(self, entries: list[TarEntry]) -> None:
        self._entries = entries

    def read(self, _count: int) -> bytes:
        """Nothing."""
        return b""

    def __iter__(self) -> Iterator[TarEntry]:
        return iter(self._entries)


def _missing_folders(root: int, path: str, owner: tuple[int, int]) -> Iterator[TarEntry]:
    names = [name for name in path.split("/") if name]
    for count in range(1, len(names) + 1):
        above = "/".join(names[:count])
        kind = kind_of(root, above)
        if kind not in (0, stat.S_IFDIR):
            raise ConflictError(f"cannot copy to non-directory: /{above}")
        if not kind:
            yield TarEntry(os.fsencode(above), "directory", _FOLDER_MODE, *owner, mtime=int(time.time()))


def _unpack(target: _Target, source: TreeSource, match: Match) -> bool:
    """Unpack a match that is an archive into the destination; False when it is none."""
    if kind_of(source.root, match.real) != stat.S_IFREG:
        return False
    with open(open_inside(source.root, match.real, os.O_RDONLY), "rb") as file:
        if not _is_archive(file):
            return False
        folders = target.folders_to(target.folder)
        tree = target.tree
        with LayerExtractor(tree.path, mode=tree.ownership, has_whiteouts=False) as extractor:
            extractor.extract(_Folders(folders))
            extractor.finish_folders()
            tree.side_table.update(extractor.side_table)
        side_table = extract_tree(file, f"{tree.path}/{target.folder}".rstrip("/"), mode=tree.ownership)
        prefix = os.fsencode(f"{target.folder}/") if target.folder else b""
        tree.side_table.update({prefix + path: entry for path, entry in side_table.items()})
    return True


def _is_archive(file: BinaryIO) -> bool:
    """True for a tar, compressed or not, told by its first header (POSIX.1-1988, or its checksum alone)."""
    try:
        header = open_decompressed(file).read_chunk(_HEADER_BYTES)
    except LabboxError:
        header = b""
    file.seek(0)
    if len(header) < _HEADER_BYTES:
        return False
    stated = header[_CHECKSUM].strip(b" \0")
    blank = header[: _CHECKSUM.start] + b" " * 8 + header[_CHECKSUM.stop :]
    return stated.isdigit() and all(digit in b"01234567" for digit in stated) and int(stated, 8) == sum(blank)


def check_sources(count: int, destination: str, name: str) -> None:
    """Refuse several sources for what is not to be a folder."""
    if count > 1 and not destination.endswith("/"):
        raise UsageError(
            f"when using {name} with more than one source file, the destination must be a directory and end with a /"
        )
