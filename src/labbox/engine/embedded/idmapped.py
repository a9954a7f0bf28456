"""A mount that shows files under other owners (mount_setattr(2), MOUNT_ATTR_IDMAP; Linux 5.12, mode root only)."""

import os

from labbox.linux import mounts, namespaces

_Ranges = list[tuple[int, int, int]]


def map_ids(tree: int, users: _Ranges, groups: _Ranges, target: str) -> None:
    """Map owners of a detached mount; a range is (id on disk, id shown, how many). Raises OSError where refused.

    The kernel takes the map from a user namespace, so a child makes one and waits until it has been taken.
    """
    said_reader, said_writer = os.pipe2(os.O_CLOEXEC)
    done_reader, done_writer = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        os.close(done_writer)
        _hold_namespace(said_writer, done_reader)
    os.close(said_writer)
    os.close(done_reader)
    try:
        # The host's /proc is still mounted here, and this process may live in a new pid namespace already.
        host_pid = os.read(said_reader, 32).decode()
        if not host_pid:
            raise OSError(f"mount {target}: no user namespace for an idmapped mount")
        namespace = _write_maps(host_pid, users, groups)
        try:
            mounts.mount_setattr(tree, attr_set=mounts.MOUNT_ATTR_IDMAP, user_namespace=namespace, path=target)
        finally:
            os.close(namespace)
    finally:
        os.close(said_reader)
        os.close(done_writer)
        os.waitpid(child, 0)


def _hold_namespace(said: int, done: int) -> None:
    """The child: make a user namespace, say who we are on the host, wait for the parent."""
    try:
        namespaces.unshare(namespaces.CLONE_NEWUSER)
        os.write(said, os.readlink("/proc/self").encode())
        os.close(said)
        os.read(done, 1)
    finally:
        os._exit(0)


def _write_maps(host_pid: str, users: _Ranges, groups: _Ranges) -> int:
    for name, ranges in (("uid_map", users), ("gid_map", groups)):
        text = "".join(f"{disk} {shown} {size}\n" for disk, shown, size in ranges).encode()
        descriptor = os.open(f"/proc/{host_pid}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text)
        finally:
            os.close(descriptor)
    return os.open(f"/proc/{host_pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
