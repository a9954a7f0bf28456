"""Single files of a system that exists as layers only, read without mounting anything."""

import os
import posixpath
from collections.abc import Sequence

from labbox.oci.canonical_tar import TarEntry
from labbox.oci.digest import Digest
from labbox.store.layers import LayerStore
from labbox.store.ownership import ownership_of
from labbox.store.pack import Found
from labbox.store.stack import LayerStack, StackedLayer

_MOST_LINKS = 16


class SystemFiles:
    """The tree that layers (lowest first) show together; the caller is the image's root (`LayerStore.run_mapped`)."""

    def __init__(self, below: Sequence[Digest], layers: LayerStore) -> None:
        stack = [StackedLayer(layers.directory(diff_id), layers.side_table(diff_id)) for diff_id in reversed(below)]
        self._stack = LayerStack(stack, mode=ownership_of(layers.mode)) if stack else None

    def find(self, path: str) -> TarEntry | None:
        """What is at an absolute path, links on the way followed; None when there is nothing."""
        found = self._find(self._real(path))
        if found is None:
            return None
        found.close()
        return found.entry

    def read(self, path: str) -> bytes | None:
        """The content of a file; None when there is no file."""
        found = self._find(self._real(path))
        if found is None:
            return None
        try:
            if found.descriptor is None or found.entry.kind != "file":
                return None
            with open(os.dup(found.descriptor), "rb") as file:
                return file.read()
        finally:
            found.close()

    def resolve(self, folder: str) -> str:
        """The path of a folder without links; what does not exist stands as it is."""
        real, pending, links = "/", [part for part in folder.split("/") if part], 0
        while pending:
            candidate = posixpath.join(real, pending.pop(0))
            found = self._find(candidate)
            if found is not None:
                found.close()
            if found is not None and found.entry.kind == "symlink" and links < _MOST_LINKS:
                links += 1
                target = posixpath.normpath(posixpath.join(real, found.entry.target.decode()))
                pending = [part for part in target.split("/") if part] + pending
                candidate = "/"
            real = candidate
        return real

    def _real(self, path: str) -> str:
        parent, name = posixpath.split(path)
        return posixpath.join(self.resolve(parent), name)

    def _find(self, path: str) -> Found | None:
        """What is at a path without links."""
        if self._stack is None:
            return None
        *parents, name = path.strip("/").encode().split(b"/")
        folder = self._stack.open_root()
        for parent in parents:
            child = self._stack.open_child(folder, parent)
            folder.close()
            folder = child
        try:
            return self._stack.find(folder, name)
        finally:
            folder.close()
