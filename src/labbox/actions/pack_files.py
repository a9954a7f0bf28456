"""A file, or a folder with all it holds, as a tar archive: for `cp`, on this machine and inside a container.

Only folder descriptors are walked and no link is followed, except a last one where that is asked for.
"""

import os
import stat

from labbox.engine.embedded.rooted import open_in_root
from labbox.oci.canonical_tar import Kind, TarEntry
from labbox.store.ownership import OWNER_XATTR, decode_owner
from labbox.store.tar_writer import TarWriter

Owner = tuple[int, int]
_FOLDER_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KINDS: dict[int, Kind] = {stat.S_IFREG: "file", stat.S_IFLNK: "symlink", stat.S_IFDIR: "directory"}


def pack_in_root(root: int, source: str, name: str, descriptor: int, owner: Owner | None, *, follow: bool) -> None:
    """Write what `source` is below `root` to a descriptor, its top called `name` (empty: only what is in it)."""
    bare = "/" + source.strip("/").removesuffix("/.").strip("/")
    if bare in ("/", "/."):
        _pack(open_in_root(root, "/", os.O_PATH), b".", name, descriptor, owner)
        return
    if follow:
        parent = open_in_root(root, bare)
        _pack(parent, b"", name, descriptor, owner)
        return
    parent = open_in_root(root, os.path.dirname(bare), os.O_PATH | os.O_DIRECTORY)
    _pack(parent, os.fsencode(os.path.basename(bare)), name, descriptor, owner)


def pack_on_host(source: str, name: str, descriptor: int, owner: Owner | None, *, follow: bool) -> None:
    """Write what `source` is on this machine to a descriptor, its top called `name` (empty: only what is in it)."""
    path = os.path.realpath(source) if follow or source.endswith("/") else os.path.abspath(source)
    parent = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    _pack(parent, os.fsencode(os.path.basename(path)) or b".", name, descriptor, owner)


def _pack(parent: int, name: bytes, new_name: str, descriptor: int, owner: Owner | None) -> None:
    """Write one file, or a folder with all it holds; devices, sockets and pipes are left out."""

    def write(data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]

    writer = TarWriter(write)
    if not name:
        _add_followed(writer, parent, os.fsencode(new_name), owner)
    else:
        _add(writer, parent, name, os.fsencode(new_name), owner)
    writer.finish()


def _add_followed(writer: TarWriter, target: int, path: bytes, owner: Owner | None) -> None:
    """What a link led to, held open: a folder is walked, a file is opened again by its descriptor."""
    status = os.fstat(target)
    link = f"/proc/self/fd/{target}"
    if stat.S_ISDIR(status.st_mode):
        _add_folder(writer, os.open(f"{link}/.", _FOLDER_FLAGS), path, status, owner)
        return
    content = os.open(link, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        writer.add(_entry(path, status, _owner_of(content, status, owner)), content)
    finally:
        os.close(content)


def _add(writer: TarWriter, parent: int, name: bytes, path: bytes, owner: Owner | None) -> None:
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
    if kind == "directory":
        _add_folder(writer, os.open(name, _FOLDER_FLAGS, dir_fd=parent), path, status, owner)
    elif kind == "symlink":
        entry = _entry(path, status, owner or (status.st_uid, status.st_gid))
        writer.add(entry._replace(target=os.readlink(name, dir_fd=parent), size_bytes=0))
    elif kind == "file":
        content = os.open(name, _FILE_FLAGS, dir_fd=parent)
        try:
            status = os.fstat(content)
            writer.add(_entry(path, status, _owner_of(content, status, owner)), content)
        finally:
            os.close(content)


def _add_folder(writer: TarWriter, folder: int, path: bytes, status: os.stat_result, owner: Owner | None) -> None:
    try:
        if path:
            writer.add(_entry(path, status, _owner_of(folder, status, owner)))
        with os.scandir(folder) as entries:
            names = sorted(os.fsencode(entry.name) for entry in entries)
        for name in names:
            _add(writer, folder, name, path + b"/" + name if path else name, owner)
    finally:
        os.close(folder)


def _entry(path: bytes, status: os.stat_result, owner: tuple[int, int]) -> TarEntry:
    kind = _KINDS[stat.S_IFMT(status.st_mode)]
    return TarEntry(
        path=path,
        kind=kind,
        mode=stat.S_IMODE(status.st_mode),
        uid=owner[0],
        gid=owner[1],
        mtime=int(status.st_mtime),
        size_bytes=status.st_size if kind == "file" else 0,
    )


def _owner_of(descriptor: int, status: os.stat_result, owner: Owner | None) -> tuple[int, int]:
    """The owner to write down; with one id only, the file's attribute knows its owner."""
    if owner is not None:
        return owner
    try:
        return decode_owner(os.getxattr(descriptor, OWNER_XATTR))
    except OSError:
        return status.st_uid, status.st_gid
