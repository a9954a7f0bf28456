"""What a container changed: its upper folder against the layers below it, as `docker diff` tells and `commit` keeps.

A name in the upper folder is no change by itself: overlayfs copies a file up when it is opened for writing. Only what
differs counts, in metadata, time or content.
"""

import os
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from labbox.store.ownership import Ownership
from labbox.store.pack import Folder, Found, InodeReader, Selection, open_folder, overlay_opaque, pack_tree
from labbox.store.stack import LayerStack, StackedFolder, StackedLayer
from labbox.store.tar_writer import PackedTree

ChangeKind = Literal["A", "C", "D"]
_FOLDER_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_COMPARE_BYTES = 1 << 20


class Change(NamedTuple):
    """A path that was added (A), changed (C) or deleted (D); folders on the way to a change count as changed."""

    kind: ChangeKind
    path: str


class Difference(NamedTuple):
    """All changes, by path, and what of the upper folder a layer must hold."""

    changes: tuple[Change, ...]
    selection: Selection


def compare_layers(
    upper: StackedLayer,
    lowers: Sequence[StackedLayer],
    *,
    mode: Ownership,
    newest: int | None = None,
    placeholders: frozenset[bytes] = frozenset(),
) -> Difference:
    """What `upper` changes in the tree that `lowers` (topmost first) show; with `newest`, times are clamped first.

    Empty files at `placeholders` (paths without leading slash) are no change: places that something was mounted on.
    """
    comparison = _Comparison(upper, lowers, mode, newest, placeholders)
    comparison.run(upper.root)
    return Difference(
        changes=tuple(Change(kind, "/" + os.fsdecode(path)) for path, kind in sorted(comparison.changes.items())),
        selection=Selection(frozenset(comparison.selected), frozenset(comparison.opaque)),
    )


def pack_changes(
    upper: StackedLayer,
    lowers: Sequence[StackedLayer],
    *,
    mode: Ownership,
    newest: int | None = None,
    placeholders: frozenset[bytes] = frozenset(),
    write: Callable[[bytes | memoryview], object] | None = None,
) -> PackedTree:
    """The canonical tar of a layer that holds what `upper` changes, and nothing else."""
    difference = compare_layers(upper, lowers, mode=mode, newest=newest, placeholders=placeholders)
    return pack_tree(
        upper.root,
        mode=mode,
        newest=newest,
        side_table=upper.side_table,
        selection=difference.selection,
        write=write,
    )


class _Pair(NamedTuple):
    """An upper folder beside the merged folder below it. `hides`: it or a folder around it is opaque."""

    upper: Folder
    lower: StackedFolder
    hides: bool

    def close(self) -> None:
        """Close both."""
        os.close(self.upper.descriptor)
        self.lower.close()


class _Comparison:
    """Walks the upper folder beside the merged folders below it."""

    def __init__(
        self,
        upper: StackedLayer,
        lowers: Sequence[StackedLayer],
        mode: Ownership,
        newest: int | None,
        placeholders: frozenset[bytes],
    ) -> None:
        self._placeholders = placeholders
        self.changes: dict[bytes, ChangeKind] = {}
        self.selected: set[bytes] = set()
        self.opaque: set[bytes] = set()
        self._reader = InodeReader(mode, upper.side_table, newest)
        self._stack = LayerStack(lowers, mode=mode, newest=newest)

    def run(self, upper_root: str) -> None:
        """Compare everything."""
        root = open_folder(os.open(upper_root, _FOLDER_FLAGS), b"")
        pending = [_Pair(root, self._stack.open_root(), hides=False)]
        try:
            while pending:
                pair = pending[-1]
                if not pair.upper.names:
                    pending.pop().close()
                    continue
                name = pair.upper.names.pop()
                found = self._reader.read(pair.upper, name)
                if found is not None and self._compare(found, pair, name):
                    pending.append(self._descend(found, pair, name))
        finally:
            for pair in pending:
                pair.close()

    def _compare(self, found: Found, pair: _Pair, name: bytes) -> bool:
        """Note how one name changed; True when it is a folder to visit, which keeps its descriptor."""
        is_folder = not found.is_whiteout and found.entry.kind == "directory"
        path = pair.upper.child(name)
        before = self._stack.find(pair.lower, name)
        try:
            if found.is_whiteout:
                if before is not None:
                    self._note(path, "D")
            elif before is None:
                if not self._is_placeholder(found, path):
                    self._note(path, "A")
            elif not _is_same(found, before):
                self._note(path, "C")
            if pair.hides and not found.is_whiteout:
                self.selected.add(path)  # what is the same below does not show through
        finally:
            if before is not None:
                before.close()
            if not is_folder:
                found.close()
        return is_folder

    def _is_placeholder(self, found: Found, path: bytes) -> bool:
        return path in self._placeholders and found.entry.kind == "file" and found.entry.size_bytes == 0

    def _descend(self, found: Found, pair: _Pair, name: bytes) -> _Pair:
        if found.descriptor is None:
            raise AssertionError("folders are open")
        upper = open_folder(found.descriptor, found.entry.path)
        lower = self._stack.open_child(pair.lower, name)
        is_opaque = overlay_opaque(upper.descriptor) == b"y"
        if (is_opaque or pair.hides) and lower.parts:
            below = self._stack.names(lower)
            for gone in set(below).difference(upper.names):
                self.changes[upper.child(gone)] = "D"
            if is_opaque and below:
                self.opaque.add(upper.path)
                self._note(upper.path, self.changes.get(upper.path, "C"))
        return _Pair(upper, lower, hides=pair.hides or upper.path in self.opaque)

    def _note(self, path: bytes, kind: ChangeKind) -> None:
        """A change makes every folder above it part of the layer: a reader would else make them with other owners."""
        self.changes[path] = kind
        self.selected.add(path)
        while b"/" in path:
            path = path.rpartition(b"/")[0]
            self.selected.add(path)
            self.changes.setdefault(path, "C")


def _is_same(found: Found, before: Found) -> bool:
    """True when nothing a layer holds differs. The time of a folder is a change, as docker has it."""
    if found.entry != before.entry:
        return False
    if found.entry.kind != "file":
        return True
    if found.descriptor is None or before.descriptor is None:
        return True
    return _have_same_content(found.descriptor, before.descriptor)


def _have_same_content(left: int, right: int) -> bool:
    while True:
        data = os.read(left, _COMPARE_BYTES)
        if data != os.read(right, _COMPARE_BYTES):
            return False
        if not data:
            return True
