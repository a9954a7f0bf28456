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

from labbox.actions.pack_files import pack_in_root, pack_on_host
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.engine.embedded.rooted import open_in_root
from labbox.errors import LabboxError, NotFoundError
from labbox.store.extract import extract_tree
from labbox.store.ownership import ownership_of


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
    engine.in_root(container, lambda root: pack_in_root(root, source, name, descriptor, owner, follow=follow))


def copy_in(
    engine: EmbeddedEngine, container: Container, source: str, target: Landing, *, keep_owners: bool, follow: bool
) -> None:
    """Copy a file or folder of this machine into a container; the copies are root's unless owners are kept."""
    owner = None if keep_owners else (0, 0)
    with produced(lambda descriptor: pack_on_host(source, target.name, descriptor, owner, follow=follow)) as stream:
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
