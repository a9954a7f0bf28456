"""The small steps that make a root file system out of mounts: planned outside, executed inside the new namespaces.

An operation is a pair (name, arguments) of plain values, so that a plan can be marshalled, printed and tested without
privilege. `execute` runs one against the root's descriptor; `describe` says what it would do.
Source for the set and its order: the OCI runtime specification, "Linux containers", default file systems and devices.
"""

import os
import stat

from labbox.engine.embedded.idmapped import map_ids
from labbox.engine.embedded.operation import Operation
from labbox.engine.embedded.rooted import make_file, make_folder, open_in_root, split
from labbox.engine.embedded.volume_content import fill_when_empty
from labbox.lightweight_typing import Callable
from labbox.linux import mounts

_PRIVATE_FLAGS = mounts.MS_NOSUID | mounts.MS_NODEV | mounts.MS_NOEXEC
# major and minor numbers of the devices every container has (Documentation/admin-guide/devices.txt)
_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
    "core": "/proc/kcore",
}


def describe(operation: Operation) -> str:
    """One line that says what an operation does."""
    name, arguments = operation
    return " ".join([name, *(f"{key}={value!r}" for key, value in arguments.items())])


def execute(operation: Operation, root: int) -> None:
    """Do one operation below the root's descriptor; raises OSError naming the call and the path."""
    name, arguments = operation
    _EXECUTORS[name](root, **arguments)


def _bind(
    root: int,
    *,
    source: str,
    target: str,
    read_only: bool,
    recursive: bool,
    devices: bool = False,
    idmap: tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]] | None = None,
) -> None:
    """Mount a file or folder of the host; device nodes in it can be opened only with `devices`."""
    is_folder = stat.S_ISDIR(os.stat(source).st_mode)
    tree = mounts.open_tree(source, recursive=recursive)
    try:
        attributes = (mounts.MOUNT_ATTR_RDONLY if read_only else 0) | (0 if devices else mounts.MOUNT_ATTR_NODEV)
        if attributes:
            mounts.mount_setattr(tree, attr_set=attributes, recursive=recursive, path=target)
        if idmap is not None:
            map_ids(tree, *idmap, target)
        place = make_folder(root, target) if is_folder else make_file(root, target)
        try:
            mounts.move_mount(tree, place, target)
        finally:
            os.close(place)
    finally:
        os.close(tree)


def _bind_of_root(root: int, *, source: str, target: str) -> None:
    """Mount a file that labbox wrote and make it the container's root user's: nobody else in there may change it."""
    os.chown(source, 0, 0)
    os.chmod(source, 0o644)  # whatever the umask was when it was written
    _bind(root, source=source, target=target, read_only=False, recursive=False)


def _volume(root: int, *, source: str, target: str, read_only: bool, copy: bool) -> None:
    """Mount a named volume; an empty one first receives what the image has at that place, as docker does."""
    if copy:
        os.close(make_folder(root, target))
        folder = open_in_root(root, target, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # A link of the image may lead to /proc or /sys, which stand there already and are no content.
            if os.fstat(folder).st_dev == os.fstat(root).st_dev:
                fill_when_empty(folder, source)
        finally:
            os.close(folder)
    _bind(root, source=source, target=target, read_only=read_only, recursive=False)


def _filesystem(root: int, *, kind: str, target: str, flags: int, options: str, optional: bool = False) -> None:
    """Mount a file system of the kernel: proc, sysfs, tmpfs, devpts, mqueue, cgroup2."""
    place = make_folder(root, target)
    try:
        mounts.mount(kind, f"/proc/self/fd/{place}", kind, flags, options)
    except OSError as error:
        if not optional:
            raise OSError(error.errno, f"mount {kind} at {target}: {error.strerror}") from error
    finally:
        os.close(place)


def _devices(root: int) -> None:
    """Bind the harmless devices of the host into /dev and make the usual links.

    A file of the host that is not the device it should be is refused.
    """
    for name, numbers in _DEVICES.items():
        source = f"/dev/{name}"
        status = os.stat(source)
        if not stat.S_ISCHR(status.st_mode) or (os.major(status.st_rdev), os.minor(status.st_rdev)) != numbers:
            raise OSError(f"{source} of this host is not the device {numbers[0]}:{numbers[1]}")
        _bind(root, source=source, target=source, read_only=False, recursive=False, devices=True)
    folder = make_folder(root, "/dev")
    try:
        for name, target in _DEVICE_LINKS.items():
            os.symlink(target, f"/proc/self/fd/{folder}/{name}")
    finally:
        os.close(folder)


def _host_devices(root: int) -> None:
    """All devices of the host (privileged containers of the real root)."""
    _bind(root, source="/dev", target="/dev", read_only=False, recursive=True, devices=True)


def _mask(root: int, *, target: str) -> None:
    """Hide a file behind /dev/null, a folder behind an empty read-only tmpfs; a missing one needs no hiding."""
    try:
        place = open_in_root(root, target)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        if stat.S_ISDIR(os.fstat(place).st_mode):
            flags = mounts.MS_RDONLY | _PRIVATE_FLAGS
            mounts.mount("tmpfs", f"/proc/self/fd/{place}", "tmpfs", flags, "size=0,nr_inodes=2,mode=555")
            return
        tree = mounts.open_tree("/dev/null", recursive=False)
        try:
            mounts.move_mount(tree, place, target)
        finally:
            os.close(tree)
    finally:
        os.close(place)


def _read_only(root: int, *, target: str) -> None:
    """Make a part of the tree read-only by a read-only bind on itself; a missing one is passed over."""
    try:
        place = open_in_root(root, target)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        tree = mounts.open_tree("", recursive=True, folder=place)
        try:
            mounts.mount_setattr(tree, attr_set=mounts.MOUNT_ATTR_RDONLY, path=target)
            mounts.move_mount(tree, place, target)
        finally:
            os.close(tree)
    finally:
        os.close(place)


def _folder(root: int, *, target: str) -> None:
    """Make a folder with its parents where the image has none."""
    os.close(make_folder(root, target))


def _link(root: int, *, target: str, link: str) -> None:
    """Make a symbolic link where nothing stands."""
    parent_path, name = split(link)
    parent = make_folder(root, parent_path)
    try:
        os.symlink(target, f"/proc/self/fd/{parent}/{name}")
    except FileExistsError:
        return
    finally:
        os.close(parent)


_EXECUTORS: dict[str, Callable[..., None]] = {
    "bind": _bind,
    "bind_of_root": _bind_of_root,
    "volume": _volume,
    "filesystem": _filesystem,
    "devices": _devices,
    "host_devices": _host_devices,
    "mask": _mask,
    "read_only": _read_only,
    "folder": _folder,
    "link": _link,
}
