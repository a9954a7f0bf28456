"""A layer of wheels as a folder on this disk: its files inflated, checked and owned as the image has them.

The folder belongs to one build: it is empty at the start, below a folder that nobody else can enter, and all that is
made in it are folders and files of the names that `layer_content` lists. The caller is the image's root.
"""

import base64
import hashlib
import os
from collections.abc import Iterable, Sequence

from labbox.build.python.layer_content import LayerContent, LayerEntry, LayerFile
from labbox.build.python.zip_content import inflate
from labbox.errors import ArchiveError
from labbox.oci.canonical_tar import TarEntry
from labbox.store.ownership import OWNER_XATTR, Ownership, encode_owner
from labbox.store.tar_writer import PackedTree, TarWriter

_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER_FLAGS = _READ_FLAGS | os.O_DIRECTORY


def make_folders(root: str, content: LayerContent) -> None:
    """Make every folder of a layer; `finish_tree` completes them."""
    for entry, source in content.entries:
        if source is None:
            os.mkdir(f"{root}/{os.fsdecode(entry.path)}", 0o700)


def write_files(
    root: str, entries: Iterable[LayerEntry], file_names: Sequence[str], descriptors: Sequence[int], mode: Ownership
) -> None:
    """Write some of a layer's files, whose folders are there; ArchiveError for content that is not as promised."""
    folder = os.open(root, _FOLDER_FLAGS)
    try:
        for entry, source in entries:
            if source is None:
                continue
            target = os.open(entry.path, _FILE_FLAGS, 0o600, dir_fd=folder)
            try:
                _write_content(target, source, file_names[source.wheel], descriptors[source.wheel])
                _set_inode(target, entry, mode)
            finally:
                os.close(target)
    finally:
        os.close(folder)


def finish_tree(root: str, content: LayerContent, mode: Ownership) -> PackedTree:
    """Give all folders their attributes, and pack the tree: the files are read again, from the page cache."""
    writer = TarWriter()
    folder = os.open(root, _FOLDER_FLAGS)
    newest = 0
    try:
        for entry, source in reversed(content.entries):
            if source is None:
                _finish_folder(folder, entry, mode)
        for entry, source in content.entries:
            newest = max(newest, entry.mtime)
            if source is None or not entry.size_bytes:
                writer.add(entry)
                continue
            descriptor = os.open(entry.path, _READ_FLAGS, dir_fd=folder)
            try:
                writer.add(entry, descriptor)
            finally:
                os.close(descriptor)
    finally:
        os.close(folder)
    return writer.finish(newest)


def _finish_folder(root: int, entry: TarEntry, mode: Ownership) -> None:
    descriptor = os.open(entry.path, _FOLDER_FLAGS, dir_fd=root)
    try:
        _set_inode(descriptor, entry, mode)
    finally:
        os.close(descriptor)


def _write_content(target: int, source: LayerFile, file_name: str, descriptor: int) -> None:
    file = source.file
    if file.member is not None:
        _write_member(target, source, file_name, descriptor)
    if file.text:
        _write_all(target, file.text)


def _write_member(target: int, source: LayerFile, file_name: str, descriptor: int) -> None:
    member, row = source.file.member, source.file.row
    assert member is not None
    if not row.value:
        for data in inflate(descriptor, member, file_name):
            _write_all(target, data)
        return
    content_hash = hashlib.new(row.algorithm)
    for data in inflate(descriptor, member, file_name):
        content_hash.update(data)
        _write_all(target, data)
    if _as_recorded(content_hash.digest()) != row.value:
        raise ArchiveError(f"`{file_name}`: member `{member.name}` does not have the hash that RECORD says")


def _as_recorded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _set_inode(descriptor: int, entry: TarEntry, mode: Ownership) -> None:
    """Owner, permissions and time; chown(2) comes first, as it clears set-id bits."""
    if (entry.uid, entry.gid) != (0, 0):
        if mode == "recorded":
            os.setxattr(descriptor, OWNER_XATTR, encode_owner(entry.uid, entry.gid))
        else:
            os.chown(descriptor, entry.uid, entry.gid)
    os.chmod(descriptor, entry.mode)
    os.utime(descriptor, ns=(entry.mtime * 10**9, entry.mtime * 10**9))


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)  # nearly always all of it
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])
