"""A folder seen as a root: paths are resolved inside it, whatever its symlinks say.

The same as openat2(2) with RESOLVE_IN_ROOT, on every kernel and with missing folders made on the way. It is right
only while nobody else changes the tree.
"""

import os
import stat
from collections import deque
from typing import NamedTuple

from labbox.errors import ArchiveError
from labbox.files import remove_tree

MAX_DEPTH = 256
_MAX_PATH_BYTES = 4095  # linux/limits.h PATH_MAX, less the zero byte
_MAX_NAME_BYTES = 255
_MAX_SYMLINKS = 40  # linux/namei.h MAXSYMLINKS
_MAX_OPEN_FOLDERS = 64
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def clean_path(path: bytes) -> bytes:
    """A path relative to the root without `.`, `..` and double slashes; raises ArchiveError when it leads out."""
    if len(path) <= _MAX_NAME_BYTES and path[:1] not in (b".", b"/", b"") and b"/." not in path and b"//" not in path:
        return path  # as nearly all are
    cleaned: list[bytes] = []
    for name in path.split(b"/"):
        if name in (b"", b"."):
            continue
        if name != b"..":
            cleaned.append(name)
        elif cleaned:
            cleaned.pop()
        else:
            raise ArchiveError(f"path {show(path)} leads out of the layer")
    result = b"/".join(cleaned)
    if (
        len(result) > _MAX_PATH_BYTES
        or len(cleaned) > MAX_DEPTH
        or any(len(name) > _MAX_NAME_BYTES for name in cleaned)
    ):
        raise ArchiveError(f"path {show(path)} is too long: {len(result)} bytes in {len(cleaned)} parts")
    return result


class OpenFolder(NamedTuple):
    """A folder below the root by its path without symlinks (empty: the root)."""

    descriptor: int
    path: bytes

    def child(self, name: bytes) -> bytes:
        """The path of a name in this folder."""
        return self.path + b"/" + name if self.path else name


class MadeFolder(NamedTuple):
    """A folder that was missing on the way to another; it may have taken the place of a whiteout."""

    path: bytes
    replaced_whiteout: bool


class FolderScope:
    """Opens folders below a root. Descriptors given out by `open_folder` stay the scope's own."""

    def __init__(self, root: str) -> None:
        self.made_count = 0
        self._root = os.open(root, _FOLDER_FLAGS)
        self._open: dict[bytes, OpenFolder] = {}
        self._made: list[MadeFolder] = []

    def close(self) -> None:
        """Close every descriptor."""
        self._forget()
        os.close(self._root)

    def open_folder(self, path: bytes) -> OpenFolder:
        """The folder at a clean path, made (mode 0700) where it is missing; valid until the next call.

        `take_made` then tells what was made.
        """
        if not path:
            return OpenFolder(self._root, b"")
        known = self._open.get(path)
        if known is not None:
            return known
        real = self._resolve(path, may_make=True)
        if real is None:
            raise AssertionError("missing folders are made")
        if len(self._open) >= _MAX_OPEN_FOLDERS:
            self._forget()
        folder = OpenFolder(os.open(real or b".", _FOLDER_FLAGS, dir_fd=self._root), real)
        self._open[path] = folder
        return folder

    def take_made(self) -> list[MadeFolder]:
        """The folders made since the last call, outermost first."""
        made, self._made = self._made, []
        return made

    def find_folder(self, path: bytes) -> OpenFolder | None:
        """The folder at a clean path with a descriptor of the caller's own, or None when there is none."""
        real = self._resolve(path, may_make=False)
        return None if real is None else OpenFolder(os.open(real or b".", _FOLDER_FLAGS, dir_fd=self._root), real)

    def open_real(self, path: bytes) -> int | None:
        """A descriptor of the caller's own for the folder at a path without symlinks; None when it is no such."""
        if self._resolve(path, may_make=False) != path:
            return None
        return os.open(path or b".", _FOLDER_FLAGS, dir_fd=self._root)

    def remove(self, folder: OpenFolder, name: bytes) -> None:
        """Remove whatever has this name in a folder, with all it holds; `folder` stays open."""
        status = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            remove_tree(f"/proc/self/fd/{folder.descriptor}/{os.fsdecode(name)}")
        else:
            os.unlink(name, dir_fd=folder.descriptor)
        if stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode):
            self._forget(keep=folder)

    def _resolve(self, path: bytes, *, may_make: bool) -> bytes | None:
        """The path without symlinks (empty: the root); None when something of it is missing and may not be made."""
        pending = deque(path.split(b"/"))
        real: list[bytes] = []
        links = 0
        while pending:
            name = pending.popleft()
            if name in (b"", b"."):
                continue
            if name == b"..":
                real = real[:-1]
                continue
            candidate = b"/".join([*real, name])
            kind = self._kind(candidate)
            if kind == stat.S_IFLNK:
                links += 1
                if links > _MAX_SYMLINKS:
                    raise ArchiveError(f"path {show(path)} leads through too many symlinks")
                target = os.readlink(candidate, dir_fd=self._root)
                real = [] if target.startswith(b"/") else real
                pending.extendleft(reversed(target.split(b"/")))
                continue
            if kind != stat.S_IFDIR:
                if not may_make:
                    return None
                self._make(candidate, path, has_other=bool(kind))
            real.append(name)
        return b"/".join(real)

    def _kind(self, real: bytes) -> int:
        """The kind of what is at a path without symlinks; 0 for nothing."""
        try:
            return stat.S_IFMT(os.stat(real, dir_fd=self._root, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise ArchiveError(f"path {show(real)} cannot be used: {error.strerror}") from error

    def _make(self, real: bytes, path: bytes, *, has_other: bool) -> None:
        """A folder where there is nothing, or a whiteout; anything else there is an error."""
        if real.count(b"/") >= MAX_DEPTH:
            raise ArchiveError(f"path {show(path)} is too deep")
        if has_other:
            status = os.stat(real, dir_fd=self._root, follow_symlinks=False)
            if not (stat.S_ISCHR(status.st_mode) and status.st_rdev == 0):
                raise ArchiveError(f"path {show(path)} leads through {show(real)}, which is no folder")
            os.unlink(real, dir_fd=self._root)
        os.mkdir(real, 0o700, dir_fd=self._root)
        self.made_count += 1
        self._made.append(MadeFolder(real, replaced_whiteout=has_other))

    def _forget(self, keep: OpenFolder | None = None) -> None:
        """Close the folders kept open, as some of their paths may mean others now."""
        for path, folder in list(self._open.items()):
            if folder != keep:
                os.close(folder.descriptor)
                del self._open[path]


def show(path: bytes) -> str:
    """A path for a message: shortened, in backticks."""
    shown = path if len(path) <= 100 else path[:97] + b"..."
    return f"`{shown.decode('utf-8', 'backslashreplace')}`"
