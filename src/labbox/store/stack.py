"""Folders on top of each other, as overlayfs merges them, read without mounting anything.

Source: Documentation/filesystems/overlayfs.rst, "Upper and Lower", "whiteouts and opaque directories".
"""

import os
import resource
import stat
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from labbox.store.ownership import Ownership, SideEntry
from labbox.store.pack import Folder, Found, InodeReader, add_found, is_whiteout, overlay_opaque
from labbox.store.tar_writer import PackedTree, TarWriter

_FOLDER_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


class StackedLayer(NamedTuple):
    """One folder of a stack and what its inodes could not carry."""

    root: str
    side_table: Mapping[bytes, SideEntry] = {}


class StackedFolder(NamedTuple):
    """One folder as several layers have it, topmost first: which layer, and its open folder there."""

    path: bytes
    parts: tuple[tuple[int, Folder], ...]

    def close(self) -> None:
        """Close every part."""
        for _, folder in self.parts:
            os.close(folder.descriptor)


class LayerStack:
    """Layers, topmost first, read as one tree."""

    def __init__(self, layers: Sequence[StackedLayer], *, mode: Ownership, newest: int | None = None) -> None:
        self._roots = [layer.root for layer in layers]
        self._readers = [InodeReader(mode, layer.side_table, newest) for layer in layers]
        _allow_open_folders()

    def open_root(self) -> StackedFolder:
        """The root folder."""
        parts: list[tuple[int, Folder]] = []
        for position, root in enumerate(self._roots):
            descriptor = os.open(root, _FOLDER_FLAGS)
            parts.append((position, Folder(descriptor, b"", [])))
            if overlay_opaque(descriptor) == b"y":
                break
        return StackedFolder(b"", tuple(parts))

    def names(self, folder: StackedFolder) -> list[bytes]:
        """The names that the merged folder shows, in canonical order."""
        hidden: set[bytes] = set()
        shown: set[bytes] = set()
        for _, part in folder.parts:
            with os.scandir(part.descriptor) as entries:
                names = [(os.fsencode(item.name), item.is_dir(follow_symlinks=False)) for item in entries]
            for name, is_folder in names:
                if name in hidden:
                    continue
                hidden.add(name)
                if is_folder or not is_whiteout(part.descriptor, name):
                    shown.add(name)
        return sorted(shown)

    def find(self, folder: StackedFolder, name: bytes) -> Found | None:
        """What the merged folder shows under a name; None when there is nothing. The caller closes it."""
        for position, part in folder.parts:
            found = self._readers[position].read(part, name)
            if found is None:
                continue
            if found.is_whiteout:
                found.close()
                return None
            return found
        return None

    def open_child(self, folder: StackedFolder, name: bytes) -> StackedFolder:
        """A folder in the merged folder; without parts when there is no folder of this name."""
        path = folder.path + b"/" + name if folder.path else name
        parts: list[tuple[int, Folder]] = []
        for position, part in folder.parts:
            try:
                status = os.stat(name, dir_fd=part.descriptor, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if not stat.S_ISDIR(status.st_mode):
                break
            descriptor = os.open(name, _FOLDER_FLAGS, dir_fd=part.descriptor)
            parts.append((position, Folder(descriptor, path, [])))
            if overlay_opaque(descriptor) == b"y":
                break
        return StackedFolder(path, tuple(parts))


def _allow_open_folders() -> None:
    """Lift the soft limit of descriptors: a deep folder in a hundred layers is a thousand open folders."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def export_stack(
    layers: Sequence[StackedLayer], *, mode: Ownership, write: Callable[[bytes | memoryview], object]
) -> PackedTree:
    """The canonical tar of the tree that layers (topmost first) show together, written piece by piece."""
    writer = TarWriter(write)
    _export(LayerStack(layers, mode=mode), writer)
    return writer.finish()


def _export(stack: LayerStack, writer: TarWriter) -> None:
    first_names: dict[tuple[int, int], bytes] = {}
    root = stack.open_root()
    pending = [(root, stack.names(root)[::-1])]
    try:
        while pending:
            folder, names = pending[-1]
            if not names:
                pending.pop()[0].close()
                continue
            name = names.pop()
            found = stack.find(folder, name)
            if found is None:
                continue
            try:
                add_found(writer, found, first_names)
            finally:
                found.close()
            if found.entry.kind == "directory":
                child = stack.open_child(folder, name)
                pending.append((child, stack.names(child)[::-1]))
    finally:
        for folder, _ in pending:
            folder.close()
