"""`labbox cp`: files between a container and this machine, as a tar stream through a pipe.

The side that reads walks folder descriptors and follows no link; the side that writes resolves every path below its
root (`labbox.store.extract`), in the container's root for the container's files: neither a link in the container nor
an archive leads anywhere else (CVE-2018-15664, CVE-2019-14271).
"""

import os
import pickle
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.engine.embedded.rooted import open_in_root
from labbox.errors import LabboxError, NotFoundError
from labbox.oci.canonical_tar import Kind, TarEntry
from labbox.store.extract import extract_tree
from labbox.store.ownership import OWNER_XATTR, decode_owner, ownership_of
from labbox.store.tar_writer import TarWriter

_FOLDER_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KINDS: dict[int, Kind] = {stat.S_IFREG: "file", stat.S_IFLNK: "symlink", stat.S_IFDIR: "directory"}


class Place(NamedTuple):
    """What a path is: a folder, something else (`exists`), or nothing yet below a `parent_exists`."""

    exists: bool
    is_folder: bool
    parent_exists: bool


class Landing(NamedTuple):
    """Where a copy goes: into an existing folder, under a name (empty: the content of the source's folder)."""

    folder: str
    name: str


def choose_landing(source: str, source_is_folder: bool, target: str, place: Place) -> Landing:  # noqa: FBT001
    """Docker's rules (docs.docker.com/reference/cli/docker/container/cp); raises LabboxError where they refuse."""
    contents_only = source.endswith("/.") or source == "."
    base = os.path.basename(source.rstrip("/").removesuffix("/.")) or ""
    if place.is_folder:
        return Landing(target, "" if contents_only and source_is_folder else base)
    if place.exists:
        if source_is_folder:
            raise LabboxError(f"cannot copy directory `{source}` onto file `{target}`")
        if target.endswith("/"):
            raise LabboxError(f"not a directory: `{target}`")
        return Landing(os.path.dirname(target) or ".", os.path.basename(target))
    if target.endswith("/") and not source_is_folder:
        raise NotFoundError(f"no such directory: `{target}`", hint="make it first, or leave out the slash at the end")
    if not place.parent_exists:
        raise NotFoundError(f'invalid output path: directory "{os.path.dirname(target.rstrip("/"))}" does not exist')
    bare = target.rstrip("/")
    return Landing(os.path.dirname(bare) or ".", os.path.basename(bare))


def look_at_host(path: str) -> Place:
    """What a path of this machine is; links are followed."""
    parent = os.path.dirname(path.rstrip("/")) or "."
    return Place(os.path.exists(path), os.path.isdir(path), os.path.isdir(parent))


def look_in_container(engine: EmbeddedEngine, container: Container, path: str) -> Place:
    """What a path of a container is; links are followed inside it."""
    return engine.in_root(container, lambda root: _look(root, path))


def copy_out(
    engine: EmbeddedEngine, container: Container, source: str, target: Landing, *, keep_owners: bool, follow: bool
) -> None:
    """Copy a file or folder of a container to this machine; the copies are yours unless owners are kept."""
    owner = None if keep_owners else (os.geteuid(), os.getegid())

    def pack(descriptor: int) -> None:
        pack_out(engine, container, source, target.name, descriptor, owner, follow=follow)

    with produced(pack) as stream:
        extract_tree(stream, target.folder, mode="kept")


def pack_out(
    engine: EmbeddedEngine,
    container: Container,
    source: str,
    name: str,
    descriptor: int,
    owner: tuple[int, int] | None,
    *,
    follow: bool,
) -> None:
    """Write a container's file or folder as a tar archive to a descriptor, its top called `name`."""
    engine.in_root(container, lambda root: _pack_below(root, source, name, descriptor, owner, follow=follow))


def copy_in(
    engine: EmbeddedEngine, container: Container, source: str, target: Landing, *, keep_owners: bool, follow: bool
) -> None:
    """Copy a file or folder of this machine into a container; the copies are root's unless owners are kept."""
    owner = None if keep_owners else (0, 0)
    with produced(lambda descriptor: _pack_host(source, target.name, descriptor, owner, follow=follow)) as stream:
        unpack_in(engine, container, stream, target.folder)


def unpack_in(engine: EmbeddedEngine, container: Container, stream: BinaryIO, folder: str) -> None:
    """Unpack a tar archive in a folder of a container."""
    mode = ownership_of(engine.identity.mode)

    def unpack(root: int) -> None:
        target = open_in_root(root, folder, os.O_PATH | os.O_DIRECTORY)
        extract_tree(stream, f"/proc/self/fd/{target}/.", mode=mode)

    engine.in_root(container, unpack)


@contextmanager
def produced(work: Callable[[int], None]) -> Iterator[BinaryIO]:
    """A stream of what `work` writes to its descriptor in a forked child; its failure is raised after the block."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    failure_reader, failure_writer = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        os.close(reader)
        os._exit(_produce(work, writer, failure_writer))
    os.close(writer)
    os.close(failure_writer)
    with open(failure_reader, "rb") as failures:
        try:
            with open(reader, "rb") as stream:
                yield stream
        except LabboxError:
            # a reader's complaint about a stream that broke off says less than why it broke off
            _raise_failure(child, failures)
            raise
        _raise_failure(child, failures)


def _produce(work: Callable[[int], None], writer: int, failure_writer: int) -> int:
    try:
        work(writer)
    except (LabboxError, OSError) as error:
        os.write(failure_writer, pickle.dumps(error))
        return 1
    return 0


def _raise_failure(child: int, failures: BinaryIO) -> None:
    data = failures.read()
    os.waitpid(child, 0)
    if data:
        error = pickle.loads(data)  # noqa: S301  (written by our own child)
        if not isinstance(error, BrokenPipeError):
            raise error


def _look(root: int, path: str) -> Place:
    try:
        mode = os.stat(open_in_root(root, path)).st_mode
        return Place(exists=True, is_folder=stat.S_ISDIR(mode), parent_exists=True)
    except (FileNotFoundError, NotADirectoryError):
        pass
    try:
        open_in_root(root, os.path.dirname(path.rstrip("/")) or "/", os.O_PATH | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return Place(exists=False, is_folder=False, parent_exists=False)
    return Place(exists=False, is_folder=False, parent_exists=True)


def _pack_below(
    root: int, source: str, name: str, descriptor: int, owner: tuple[int, int] | None, *, follow: bool
) -> None:
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


def _pack_host(source: str, name: str, descriptor: int, owner: tuple[int, int] | None, *, follow: bool) -> None:
    path = os.path.realpath(source) if follow or source.endswith("/") else os.path.abspath(source)
    parent = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    _pack(parent, os.fsencode(os.path.basename(path)) or b".", name, descriptor, owner)


def _pack(parent: int, name: bytes, new_name: str, descriptor: int, owner: tuple[int, int] | None) -> None:
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


def _add_followed(writer: TarWriter, target: int, path: bytes, owner: tuple[int, int] | None) -> None:
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


def _add(writer: TarWriter, parent: int, name: bytes, path: bytes, owner: tuple[int, int] | None) -> None:
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


def _add_folder(
    writer: TarWriter, folder: int, path: bytes, status: os.stat_result, owner: tuple[int, int] | None
) -> None:
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


def _owner_of(descriptor: int, status: os.stat_result, owner: tuple[int, int] | None) -> tuple[int, int]:
    """The owner to write down; with one id only, the file's attribute knows its owner."""
    if owner is not None:
        return owner
    try:
        return decode_owner(os.getxattr(descriptor, OWNER_XATTR))
    except OSError:
        return status.st_uid, status.st_gid
