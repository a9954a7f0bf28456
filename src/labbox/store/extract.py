"""Unpacking a layer's tar into a folder, safe against any archive.

What is guaranteed: nothing outside the folder is read, made, changed or removed, whatever the archive says. A path
is cleaned first and refused when it leads out; its parent is then resolved component by component inside the folder
(`labbox.store.scope`), so that symlinks of the archive never leave it; the last component is never followed.
`tarfile.extractall` and its filters are no such boundary (CVE-2025-4517).

The tree belongs to one process while this runs: the caller makes it below a folder of mode 0700. In the modes
`subuid` and `single` the caller is inside the user namespace (`labbox.linux.idmap.run_mapped`).

Whiteouts become what overlayfs understands: a character device 0:0 for `.wh.name`, user.overlay.opaque for
`.wh..wh..opq` (image-spec layer.md; Documentation/filesystems/overlayfs.rst).
"""

import contextlib
import errno
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, Protocol, Self

from labbox.errors import ArchiveError
from labbox.oci.canonical_tar import OPAQUE_MARKER, WHITEOUT_PREFIX, TarEntry
from labbox.oci.digest import Digest
from labbox.oci.tar_reader import TarReader
from labbox.store import ownership
from labbox.store.blobs import no_space_left, no_space_reported
from labbox.store.decompress import Decompressor, open_decompressed
from labbox.store.ownership import Ownership, SideEntry
from labbox.store.scope import FolderScope, OpenFolder, clean_path, show

MAX_ENTRIES = 4_000_000
_COPY_BYTES = 1 << 20
_CHECK_SPACE_BYTES = 16 << 20
_AUFS_PREFIX = b".wh..wh."
_IMPLICIT_MODE = 0o755
# What the archive is to blame for, as far as this is not the disk's fault.
_ARCHIVE_FAULTS = frozenset({
    errno.EEXIST, errno.EFBIG, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.EMLINK, errno.ENAMETOOLONG, errno.ENOENT,
    errno.ENOTDIR, errno.ENOTEMPTY,
})  # fmt: skip
_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Extracted(NamedTuple):
    """What was unpacked: the digest and length of the plain tar, and what inodes could not carry."""

    diff_id: Digest
    tar_bytes: int
    entry_count: int
    side_table: dict[bytes, SideEntry]


def extract_layer(stream: BinaryIO, root: str, *, mode: Ownership, max_entries: int = MAX_ENTRIES) -> Extracted:
    """Unpack a layer, compressed or not, into the empty folder `root`.

    Raises ArchiveError for a malformed or hostile archive and StoreError for a full disk; `root` is then garbage.
    """
    source = _HashingSource(open_decompressed(stream))
    with no_space_reported(root), LayerExtractor(root, mode=mode, max_entries=max_entries) as extractor:
        extractor.extract(TarReader(io.BufferedReader(source, _COPY_BYTES)))
        extractor.finish_folders()
        source.drain()
        return Extracted(source.digest(), source.size_bytes, extractor.entry_count, extractor.side_table)


def extract_tree(stream: BinaryIO, root: str, *, mode: Ownership) -> dict[bytes, SideEntry]:
    """Unpack a plain tree (`cp`, `import`) into the folder `root`, over what is there; `.wh.` names mean nothing."""
    source = io.BufferedReader(open_decompressed(stream), _COPY_BYTES)
    with no_space_reported(root), LayerExtractor(root, mode=mode, has_whiteouts=False) as extractor:
        extractor.extract(TarReader(source))
        extractor.finish_folders()
        return extractor.side_table


class EntrySource(Protocol):
    """Entries one after another; `read` gives the next bytes of the last one's content, nothing at its end."""

    def __iter__(self) -> Iterator[TarEntry]:
        """The entries."""

    def read(self, count: int, /) -> bytes:
        """Some of the content."""


class LayerExtractor:
    """Makes the entries of one archive in a folder. A later entry of the same name wins."""

    def __init__(
        self, root: str, *, mode: Ownership, has_whiteouts: bool = True, max_entries: int = MAX_ENTRIES
    ) -> None:
        self.entry_count = 0
        self.side_table: dict[bytes, SideEntry] = {}
        self._records_owner = mode == "recorded"
        self._has_whiteouts = has_whiteouts
        self._max_entries = max_entries
        self._root = root
        self._scope = FolderScope(root)
        self._folders: dict[bytes, TarEntry] = {}
        self._has_marked_whiteouts = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._scope.close()

    def extract(self, reader: EntrySource) -> None:
        """Make every entry."""
        for entry in reader:
            self.entry_count += 1
            if self.entry_count > self._max_entries:
                raise ArchiveError(f"archive has more than {self._max_entries} entries: refused as a bomb")
            try:
                self._extract_entry(entry, reader)
            except OSError as error:
                if error.errno not in _ARCHIVE_FAULTS:
                    raise
                raise ArchiveError(f"entry {show(entry.path)} cannot be made: {error.strerror}") from error
            if self._scope.made_count > self._max_entries:
                raise ArchiveError(f"archive makes more than {self._max_entries} folders: refused as a bomb")

    def finish_folders(self) -> None:
        """Give folders their modes, owners and times, deepest first: what is made in a folder changes its time."""
        for path, entry in sorted(self._folders.items(), key=lambda item: -item[0].count(b"/") if item[0] else 1):
            descriptor = self._scope.open_real(path)
            if descriptor is None:
                continue  # replaced by something else later on
            try:
                self._set_inode(descriptor, entry)
                os.utime(descriptor, ns=_times(entry))
            finally:
                os.close(descriptor)

    def _extract_entry(self, entry: TarEntry, reader: EntrySource) -> None:
        path = clean_path(entry.path)
        if not path:
            if entry.kind != "directory":
                raise ArchiveError(f"entry {show(entry.path)} replaces the root itself by a {entry.kind}")
            self._remember_folder(entry._replace(path=b""))
            return
        parent_path, _, name = path.rpartition(b"/")
        folder = self._open_parent(parent_path, entry)
        if self._has_whiteouts and name.startswith(WHITEOUT_PREFIX):
            self._extract_whiteout(folder, name, entry)
            return
        entry = entry._replace(path=folder.child(name))
        if entry.kind == "directory":
            self._make_folder(folder, name)
            self._remember_folder(entry)
            return
        try:
            self._make_other(folder, name, entry, reader)
        except FileExistsError:
            self._scope.remove(folder, name)
            self.side_table.pop(entry.path, None)
            self._make_other(folder, name, entry, reader)

    def _make_other(self, folder: OpenFolder, name: bytes, entry: TarEntry, reader: EntrySource) -> None:
        """Make anything but a folder; raises FileExistsError, with nothing read, when the name is taken."""
        if entry.kind == "file":
            self._make_file(folder, name, entry, reader)
        elif entry.kind == "hardlink":
            self._make_hardlink(folder, name, entry)
        elif entry.kind == "character" and entry.device == (0, 0):
            self._make_whiteout(folder, name)  # what overlayfs takes it for
        else:
            self._make_special(folder, name, entry)

    def _open_parent(self, parent_path: bytes, entry: TarEntry) -> OpenFolder:
        """The folder an entry belongs into; folders the archive did not name are made with the usual mode."""
        folder = self._scope.open_folder(parent_path)
        for made in self._scope.take_made():
            self._remember_folder(TarEntry(made.path, "directory", _IMPLICIT_MODE, mtime=entry.mtime))
            if made.replaced_whiteout:
                self._set_opaque(self._scope.open_folder(made.path))
            folder = self._scope.open_folder(parent_path)
        return folder

    def _remember_folder(self, entry: TarEntry) -> None:
        self._folders.pop(entry.path, None)
        self._folders[entry.path] = entry

    def _make_folder(self, folder: OpenFolder, name: bytes) -> None:
        """A folder, merged with one that is there; in place of a whiteout it hides what is below it."""
        try:
            os.mkdir(name, 0o700, dir_fd=folder.descriptor)
        except FileExistsError:
            status = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                return
            was_whiteout = _is_whiteout_device(status) or self._is_marked_whiteout(folder.descriptor, name)
            self._scope.remove(folder, name)
            os.mkdir(name, 0o700, dir_fd=folder.descriptor)
            if was_whiteout:
                self._set_opaque(self._scope.open_folder(folder.child(name)))

    def _make_file(self, folder: OpenFolder, name: bytes, entry: TarEntry, reader: EntrySource) -> None:
        self._check_space(entry)
        descriptor = os.open(name, _FILE_FLAGS, 0o600, dir_fd=folder.descriptor)
        try:
            while data := reader.read(_COPY_BYTES):
                _write_all(descriptor, data)
            self._set_inode(descriptor, entry)
            os.utime(descriptor, ns=_times(entry))
        finally:
            os.close(descriptor)

    def _make_hardlink(self, folder: OpenFolder, name: bytes, entry: TarEntry) -> None:
        """A second name of an earlier entry; a symlink is linked itself, never what it points at."""
        target_parent, _, target_name = clean_path(entry.target).rpartition(b"/")
        source = self._scope.find_folder(target_parent)
        missing = f"hard link {show(entry.path)} points at {show(entry.target)}, which is not there or is a folder"
        if not target_name or source is None:
            raise ArchiveError(missing)
        try:
            os.link(
                target_name, name, src_dir_fd=source.descriptor, dst_dir_fd=folder.descriptor, follow_symlinks=False
            )
        except (FileNotFoundError, PermissionError) as error:
            raise ArchiveError(missing) from error
        finally:
            os.close(source.descriptor)
        if source.child(target_name) in self.side_table:
            self.side_table[entry.path] = self.side_table[source.child(target_name)]

    def _make_special(self, folder: OpenFolder, name: bytes, entry: TarEntry) -> None:
        if entry.kind == "symlink":
            os.symlink(entry.target, name, dir_fd=folder.descriptor)
        elif entry.kind == "fifo":
            os.mkfifo(name, 0o600, dir_fd=folder.descriptor)
        elif not self._make_node(folder, name, entry):
            return
        self._set_owner_by_name(folder, name, entry)
        if entry.kind != "symlink":
            # Not a symlink: it was made a moment ago, and nobody else works in this tree.
            os.chmod(name, entry.mode, dir_fd=folder.descriptor)
        os.utime(name, ns=_times(entry), dir_fd=folder.descriptor, follow_symlinks=False)
        xattrs = tuple(item for item in entry.xattrs if ownership.is_image_xattr(item[0]))
        if xattrs:
            self._remember_side(entry.path, xattrs=xattrs)

    def _make_node(self, folder: OpenFolder, name: bytes, entry: TarEntry) -> bool:
        """True when a real device node was made; else an empty file stands for it, complete with mode and owner.

        In a user namespace the kernel refuses to make any (mknod(2), EPERM).
        """
        kind = stat.S_IFCHR if entry.kind == "character" else stat.S_IFBLK
        if not self._records_owner:
            with contextlib.suppress(PermissionError):
                os.mknod(name, kind | 0o600, os.makedev(*entry.device), dir_fd=folder.descriptor)
                return True
        descriptor = os.open(name, _FILE_FLAGS, 0o600, dir_fd=folder.descriptor)
        try:
            if self._records_owner:
                os.setxattr(descriptor, ownership.NODE_XATTR, ownership.encode_node(entry.kind, entry.device))
            else:
                self._remember_side(entry.path, node=(entry.kind, entry.device))
            self._set_inode(descriptor, entry)
            os.utime(descriptor, ns=_times(entry))
        finally:
            os.close(descriptor)
        return False

    def _set_inode(self, descriptor: int, entry: TarEntry) -> None:
        """Owner, mode and attributes of an open file or folder; chown(2) clears set-id bits and capabilities."""
        if self._records_owner:
            if (entry.uid, entry.gid) != (0, 0):
                os.setxattr(descriptor, ownership.OWNER_XATTR, ownership.encode_owner(entry.uid, entry.gid))
            elif entry.kind == "directory" and ownership.OWNER_XATTR in os.listxattr(descriptor):
                os.removexattr(descriptor, ownership.OWNER_XATTR)
        else:
            try:
                os.chown(descriptor, entry.uid, entry.gid)
            except OSError:
                self._remember_side(entry.path, owner=(entry.uid, entry.gid))  # an id the namespace does not map
        self._set_xattrs(descriptor, entry)
        os.chmod(descriptor, entry.mode)

    def _set_xattrs(self, descriptor: int, entry: TarEntry) -> None:
        """Attributes that an image may set; what this file system refuses (EPERM, ENOTSUP, ENOSPC) is kept beside."""
        refused = []
        for name, value in entry.xattrs:
            if not ownership.is_image_xattr(name):
                continue
            try:
                os.setxattr(descriptor, name, value)
            except OSError:
                refused.append((name, value))
        if refused:
            self._remember_side(entry.path, xattrs=tuple(refused))

    def _set_owner_by_name(self, folder: OpenFolder, name: bytes, entry: TarEntry) -> None:
        owner = (entry.uid, entry.gid)
        if self._records_owner:
            if owner != (0, 0):
                self._remember_side(entry.path, owner=owner)
            return
        try:
            os.chown(name, *owner, dir_fd=folder.descriptor, follow_symlinks=False)
        except OSError:
            self._remember_side(entry.path, owner=owner)

    def _remember_side(self, path: bytes, **changes: Any) -> None:
        known = self.side_table.get(path, SideEntry())
        self.side_table[path] = known._replace(**changes)

    def _extract_whiteout(self, folder: OpenFolder, name: bytes, entry: TarEntry) -> None:
        if name == OPAQUE_MARKER:
            self._set_opaque(folder)
            return
        if name.startswith(_AUFS_PREFIX):
            return  # notes of a file system that docker used in 2013
        removed = name[len(WHITEOUT_PREFIX) :]
        if removed in (b"", b".", b".."):
            raise ArchiveError(f"whiteout {show(entry.path)} would remove a whole folder")
        try:
            status = os.stat(removed, dir_fd=folder.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            self._make_whiteout(folder, removed)
            return
        if stat.S_ISDIR(status.st_mode):
            # This layer's own folder stays; only what is below it goes.
            self._set_opaque(self._scope.open_folder(folder.child(removed)))

    def _make_whiteout(self, folder: OpenFolder, name: bytes) -> None:
        try:
            os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=folder.descriptor)
        except PermissionError:
            self._make_marked_whiteout(folder.descriptor, name)

    def _make_marked_whiteout(self, folder: int, name: bytes) -> None:
        """Overlayfs's other form, since Linux 6.7: an empty file with a mark, in a folder that says so."""
        if _get_opaque(folder) == b"y":
            return
        descriptor = os.open(name, _FILE_FLAGS, 0o600, dir_fd=folder)
        try:
            os.setxattr(descriptor, ownership.OVERLAY_WHITEOUT_XATTR, b"y")
            os.setxattr(folder, ownership.OVERLAY_OPAQUE_XATTR, b"x")
        finally:
            os.close(descriptor)
        self._has_marked_whiteouts = True

    def _is_marked_whiteout(self, folder: int, name: bytes) -> bool:
        if not self._has_marked_whiteouts:
            return False
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            return ownership.OVERLAY_WHITEOUT_XATTR in os.listxattr(descriptor)
        finally:
            os.close(descriptor)

    def _set_opaque(self, folder: OpenFolder) -> None:
        if _get_opaque(folder.descriptor) == b"x":
            self._remove_marked_whiteouts(folder.descriptor)
        os.setxattr(folder.descriptor, ownership.OVERLAY_OPAQUE_XATTR, b"y")

    def _remove_marked_whiteouts(self, folder: int) -> None:
        """A folder that hides everything below needs no whiteouts, and would show marked ones as files."""
        with os.scandir(folder) as entries:
            names = [os.fsencode(item.name) for item in entries if item.is_file(follow_symlinks=False)]
        for name in names:
            if self._is_marked_whiteout(folder, name):
                os.unlink(name, dir_fd=folder)

    def _check_space(self, entry: TarEntry) -> None:
        """Refuse a large file that cannot fit before anything of it is written."""
        if entry.size_bytes < _CHECK_SPACE_BYTES:
            return
        status = os.statvfs(self._root)
        if entry.size_bytes > status.f_bavail * status.f_frsize:
            raise no_space_left(self._root)


class _HashingSource(io.RawIOBase):
    """Plain bytes of a decompressor, hashed and counted as they pass."""

    def __init__(self, source: Decompressor) -> None:
        super().__init__()
        self.size_bytes = 0
        self._source = source
        self._hash = hashlib.sha256()

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a part of the buffer; 0 at the end."""
        data = self._source.read_chunk(len(buffer))
        self._hash.update(data)
        self.size_bytes += len(data)
        buffer[: len(data)] = data
        return len(data)

    def drain(self) -> None:
        """Hash what follows the archive's end: it belongs to the digest."""
        while data := self._source.read_chunk(_COPY_BYTES):
            self._hash.update(data)
            self.size_bytes += len(data)

    def digest(self) -> Digest:
        """The digest of everything read."""
        return Digest("sha256", self._hash.hexdigest())


def _is_whiteout_device(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _get_opaque(folder: int) -> bytes:
    try:
        return os.getxattr(folder, ownership.OVERLAY_OPAQUE_XATTR)
    except OSError:
        return b""


def _times(entry: TarEntry) -> tuple[int, int]:
    """Access and change time in nanoseconds; what 64 bits cannot hold is cut."""
    seconds = max(-(1 << 33), min(entry.mtime, 1 << 33))
    return seconds * 1_000_000_000, seconds * 1_000_000_000


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
