"""Files that survive a crash: atomic writes, locks between processes, removal of whole trees."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from labbox.lightweight_typing import Any

_LOCK_INTERVAL_SECONDS = 0.005


def write_atomic(path: str, data: bytes, *, durable: bool = True, mode: int = 0o600) -> None:
    """Replace the file at `path` by `data` in one step: a reader sees the old bytes or the new, never a part.

    With `durable` the bytes are on disk before the name changes (fsync(2), then rename(2)).
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb", closefd=True) as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        _unlink_quietly(temporary)
        raise
    if durable:
        sync_directory(os.path.dirname(path) or ".")


def sync_directory(path: str) -> None:
    """Make the names in a folder durable (fsync(2) on the folder)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: str, document: Any, *, durable: bool = True, mode: int = 0o600) -> None:
    """Replace the file at `path` by a JSON document, one key a line, atomically."""
    write_atomic(path, json.dumps(document, indent=1).encode() + b"\n", durable=durable, mode=mode)


def read_json(path: str) -> Any:
    """Read a JSON document; raises OSError or ValueError as the standard library does."""
    with open(path, "rb") as file:
        return json.loads(file.read())


@contextmanager
def locked(path: str, *, exclusive: bool = True) -> Iterator[int]:
    """Hold flock(2) on the file at `path` (made when missing) and yield its descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(path: str) -> int | None:
    """Take an exclusive flock(2) without waiting: its descriptor, or None when somebody else holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def take_lock(path: str, *, patience_seconds: float) -> int | None:
    """As `try_lock`, trying again for a while: the holder may be about to let go."""
    deadline = monotonic() + patience_seconds
    while (descriptor := try_lock(path)) is None and monotonic() < deadline:
        sleep(_LOCK_INTERVAL_SECONDS)
    return descriptor


def remove_tree(path: str) -> None:
    """Remove a folder and all it holds, also folders without permissions (overlay's work folder has mode 000).

    Works on folder descriptors without following symlinks; a path that is gone is no error.
    """
    try:
        parent = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _remove_entry(parent, os.path.basename(path))
    finally:
        os.close(parent)


def _remove_entry(parent: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        _remove_folder(parent, name)


def _remove_folder(parent: int, name: str) -> None:
    folder = _open_folder(parent, name)
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
        for entry_name in names:
            _remove_entry(folder, entry_name)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=parent)


def _open_folder(parent: int, name: str) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        folder = os.open(name, flags, dir_fd=parent)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=parent)
        return os.open(name, flags, dir_fd=parent)
    if os.fstat(folder).st_mode & 0o300 != 0o300 and os.geteuid() != 0:
        os.fchmod(folder, 0o700)
    return folder


def _unlink_quietly(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
