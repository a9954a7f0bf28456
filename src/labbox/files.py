"""Files that survive a crash: atomic writes, locks between processes, removal of whole trees."""

import fcntl
import os
import stat
from time import monotonic, sleep

from labbox.lightweight_modules import contextmanager, json
from labbox.lightweight_typing import Any, Iterator

_LOCK_INTERVAL_SECONDS = 0.005


def write_atomic(path: str, data: bytes, *, durable: bool = True, mode: int = 0o600) -> None:
    """Replace the file at `path` by `data` in one step: a reader sees the old bytes or the new, never a part.

    With `durable` the bytes are on disk before the name changes (fsync(2), then rename(2)).
    """
    temporary = f"{path}.{os.urandom(6).hex()}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
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


def make_private_folder(path: str) -> None:
    """Make a folder, with its missing parents, that nobody else can enter; one that exists stays as it is.

    (os.makedirs gives its mode to the last folder only.)
    """
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    except FileNotFoundError:
        make_private_folder(os.path.dirname(path))
        make_private_folder(path)


def sync_directory(path: str) -> None:
    """Make the names in a folder durable (fsync(2) on the folder)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: str, document: Any, *, durable: bool = True, mode: int = 0o600) -> None:
    """Replace the file at `path` by a JSON document, atomically."""
    write_atomic(path, json.dumps(document).encode() + b"\n", durable=durable, mode=mode)


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
    """Remove a folder and all it holds, however deep, also folders without permissions (overlay's have mode 000).

    Folders are moved up to the top as they are met, so neither depth nor length of a path matters and no symlink is
    followed. A path that is gone is no error.
    """
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        _remove_folder(path)


def _remove_folder(path: str) -> None:
    _make_accessible(path, None)
    top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        waiting = _empty_folder(top, top, 0)
        moved = len(waiting)
        while waiting:
            name = waiting.pop()
            folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=top)
            try:
                found = _empty_folder(folder, top, moved)
            finally:
                os.close(folder)
            os.rmdir(name, dir_fd=top)
            waiting += found
            moved += len(found)
    finally:
        os.close(top)
    os.rmdir(path)


def _empty_folder(folder: int, top: int, moved: int) -> list[str]:
    """Unlink what is no folder, move folders to the top under new names; these names."""
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    folders: list[str] = []
    for name, is_folder in found:
        if is_folder:
            new_name = f".removed-{os.getpid()}-{moved + len(folders)}"
            _make_accessible(name, folder)
            os.rename(name, new_name, src_dir_fd=folder, dst_dir_fd=top)
            folders.append(new_name)
        else:
            os.unlink(name, dir_fd=folder)
    return folders


def _make_accessible(name: str, folder: int | None) -> None:
    """Give a folder the permissions that emptying and moving it takes."""
    if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode & stat.S_IRWXU != stat.S_IRWXU:
        os.chmod(name, stat.S_IRWXU, dir_fd=folder)


def _unlink_quietly(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
