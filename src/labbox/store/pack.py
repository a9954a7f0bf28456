"""From a tree on this disk to its canonical tar, the same bytes in every identity mode.

The caller is root, or inside the user namespace of the identity (`labbox.linux.idmap.run_mapped`), so that every
file can be read and owners are those of the image. Nothing follows a symlink, on any path.
"""

import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from labbox.errors import ArchiveError
from labbox.oci.canonical_tar import WHITEOUT_PREFIX, Kind, TarEntry, opaque_marker, whiteout
from labbox.store import ownership
from labbox.store.ownership import Ownership, SideTable
from labbox.store.tar_writer import PackedTree, TarWriter

_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_KINDS: dict[int, Kind] = {
    stat.S_IFREG: "file",
    stat.S_IFLNK: "symlink",
    stat.S_IFDIR: "directory",
    stat.S_IFCHR: "character",
    stat.S_IFBLK: "block",
    stat.S_IFIFO: "fifo",
}


class Found(NamedTuple):
    """One name in a folder: its tar entry, an open descriptor (files and folders) and the inode."""

    entry: TarEntry
    descriptor: int | None
    inode: tuple[int, int]
    is_whiteout: bool = False
    link_count: int = 1

    def close(self) -> None:
        """Close the descriptor."""
        if self.descriptor is not None:
            os.close(self.descriptor)


class Folder(NamedTuple):
    """An open folder, its path in the archive (empty: the root), and the names in it still to visit, last first."""

    descriptor: int
    path: bytes
    names: list[bytes]

    def child(self, name: bytes) -> bytes:
        """The path of a name in this folder."""
        return self.path + b"/" + name if self.path else name


class Selection(NamedTuple):
    """Which names of a tree are packed, by path; and which opaque folders say so (`labbox.store.diff`)."""

    paths: frozenset[bytes]
    opaque: frozenset[bytes]


def pack_tree(
    root: str,
    *,
    mode: Ownership = "kept",
    newest: int | None = None,
    side_table: SideTable | None = None,
    selection: Selection | None = None,
    write: Callable[[bytes | memoryview], object] | None = None,
) -> PackedTree:
    """The digest and length of the canonical tar of the tree at `root`; the bytes go to `write` when it is given.

    `newest` clamps times: nothing is younger (SOURCE_DATE_EPOCH). Overlay whiteouts become `.wh.` entries; sockets
    are left out, as docker does. Raises ArchiveError for a name that no layer can hold.
    """
    reader = InodeReader(mode, side_table or {}, newest)
    writer = TarWriter(write)
    _pack_folders(writer, reader, os.open(root, _FOLDER_FLAGS), selection)
    return writer.finish(newest)


def _pack_folders(writer: TarWriter, reader: "InodeReader", root: int, selection: Selection | None) -> None:
    first_names: dict[tuple[int, int], bytes] = {}
    folders = [open_folder(root, b"")]
    try:
        _add_opaque_marker(writer, folders[0], selection)
        while folders:
            folder = folders[-1]
            if not folder.names:
                os.close(folders.pop().descriptor)
                continue
            name = folder.names.pop()
            if selection is not None and folder.child(name) not in selection.paths:
                continue
            found = reader.read(folder, name)
            if found is None:
                continue
            descriptor = _add(writer, found, first_names)
            if descriptor is not None:
                folders.append(open_folder(descriptor, found.entry.path))
                _add_opaque_marker(writer, folders[-1], selection)
    finally:
        for folder in folders:
            os.close(folder.descriptor)


def open_folder(descriptor: int, path: bytes) -> Folder:
    """The folder behind a descriptor with its names in reverse canonical order (whiteouts, found first, come last)."""
    plain: list[bytes] = []
    nodes: list[bytes] = []
    with os.scandir(descriptor) as entries:
        for item in entries:
            name = os.fsencode(item.name)
            is_plain = item.is_file(follow_symlinks=False) or item.is_dir(follow_symlinks=False) or item.is_symlink()
            (plain if is_plain else nodes).append(name)
    has_marks = overlay_opaque(descriptor) == b"x"
    removed = [name for name in (plain + nodes if has_marks else nodes) if is_whiteout(descriptor, name)]
    others = set(plain + nodes).difference(removed) if removed else plain + nodes
    return Folder(descriptor, path, sorted(others, reverse=True) + sorted(removed, reverse=True))


def is_whiteout(folder: int, name: bytes) -> bool:
    """True when overlayfs takes this name as removed: a character device 0:0, or an empty file with its mark.

    Source: Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".
    """
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISCHR(status.st_mode):
        return status.st_rdev == 0
    if not stat.S_ISREG(status.st_mode) or status.st_size:
        return False
    descriptor = os.open(name, _FILE_FLAGS, dir_fd=folder)
    try:
        return ownership.OVERLAY_WHITEOUT_XATTR in os.listxattr(descriptor)
    finally:
        os.close(descriptor)


def overlay_opaque(folder: int) -> bytes:
    """`y` when a folder hides what the layers below have in it, `x` when it holds marked whiteouts, else empty."""
    try:
        return os.getxattr(folder, ownership.OVERLAY_OPAQUE_XATTR)
    except OSError:
        return b""


class InodeReader:
    """Reads what a tar header says about the names in a folder."""

    def __init__(self, mode: Ownership, side_table: SideTable, newest: int | None) -> None:
        self._records_owner = mode == "recorded"
        self._side_table = side_table
        self._newest = newest

    def read(self, folder: Folder, name: bytes) -> Found | None:
        """One name of a folder; None for a socket, and for a name that vanished meanwhile."""
        path = folder.child(name)
        try:
            descriptor, status = _open(folder.descriptor, name)
        except FileNotFoundError:
            return None
        try:
            return self._describe(folder, name, path, descriptor, status)
        except BaseException:
            if descriptor is not None:
                os.close(descriptor)
            raise

    def _describe(
        self, folder: Folder, name: bytes, path: bytes, descriptor: int | None, status: os.stat_result
    ) -> Found | None:
        kind = _KINDS.get(stat.S_IFMT(status.st_mode))
        inode = (status.st_dev, status.st_ino)
        if kind is None:
            return None
        if kind == "character" and status.st_rdev == 0:
            return Found(whiteout(path), None, inode, is_whiteout=True)
        if name.startswith(WHITEOUT_PREFIX):
            raise ArchiveError(f"`{os.fsdecode(path)}` cannot be stored in an image: names starting with `.wh.` remove")
        xattr_names = os.listxattr(descriptor) if descriptor is not None else []
        if kind == "file" and ownership.OVERLAY_WHITEOUT_XATTR in xattr_names and overlay_opaque(folder.descriptor):
            return Found(whiteout(path), descriptor, inode, is_whiteout=True)
        entry = self._entry(path, kind, status, descriptor, xattr_names)
        if kind == "symlink":
            entry = entry._replace(target=os.readlink(name, dir_fd=folder.descriptor), mode=0o777)
        return Found(entry, descriptor, inode, link_count=1 if kind == "directory" else status.st_nlink)

    def _entry(
        self, path: bytes, kind: Kind, status: os.stat_result, descriptor: int | None, xattr_names: list[str]
    ) -> TarEntry:
        uid, gid, device = status.st_uid, status.st_gid, (os.major(status.st_rdev), os.minor(status.st_rdev))
        xattrs: tuple[tuple[bytes, bytes], ...] = ()
        if descriptor is not None and xattr_names:
            xattrs = ownership.read_image_xattrs(descriptor, xattr_names)
        if self._records_owner:
            uid, gid = 0, 0
            if ownership.OWNER_XATTR in xattr_names and descriptor is not None:
                uid, gid = ownership.decode_owner(os.getxattr(descriptor, ownership.OWNER_XATTR))
            if ownership.NODE_XATTR in xattr_names and descriptor is not None:
                node = ownership.decode_node(os.getxattr(descriptor, ownership.NODE_XATTR))
                kind, device = node or (kind, device)
        side = self._side_table.get(path) if self._side_table else None
        if side is not None:
            uid, gid = side.owner or (uid, gid)
            kind, device = side.node or (kind, device)
            xattrs = tuple(sorted({**dict(side.xattrs), **dict(xattrs)}.items()))
        mtime = int(status[stat.ST_MTIME])
        return TarEntry(
            path,
            kind,
            stat.S_IMODE(status.st_mode),
            uid,
            gid,
            mtime if self._newest is None or mtime < self._newest else self._newest,
            status.st_size if kind == "file" else 0,
            b"",
            device,
            xattrs,
        )


def _open(folder: int, name: bytes) -> tuple[int | None, os.stat_result]:
    """A descriptor for a file or a folder, and the status of whatever the name is. Opening never waits or acts.

    A file is opened at once, as most names are files; a device or pipe is never opened.
    """
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return None, status
    flags = _FOLDER_FLAGS if stat.S_ISDIR(status.st_mode) else _FILE_FLAGS
    return os.open(name, flags, dir_fd=folder), status


def add_found(writer: TarWriter, found: Found, first_names: dict[tuple[int, int], bytes]) -> None:
    """Write one entry; a file whose inode was written under another name becomes a hard link to that."""
    entry = found.entry
    if found.link_count > 1:
        first = first_names.setdefault(found.inode, entry.path)
        if first != entry.path:
            writer.add(entry._replace(kind="hardlink", target=first, size_bytes=0, xattrs=(), device=(0, 0)))
            return
    writer.add(entry, found.descriptor)


def _add(writer: TarWriter, found: Found, first_names: dict[tuple[int, int], bytes]) -> int | None:
    """Write one entry and close its descriptor; a folder's is returned open, as it is to be visited."""
    is_folder = found.entry.kind == "directory"
    try:
        add_found(writer, found, first_names)
    except BaseException:
        is_folder = False
        raise
    finally:
        if not is_folder:
            found.close()
    return found.descriptor if is_folder else None


def _add_opaque_marker(writer: TarWriter, folder: Folder, selection: Selection | None) -> None:
    if overlay_opaque(folder.descriptor) == b"y" and (selection is None or folder.path in selection.opaque):
        writer.add(opaque_marker(folder.path))
