"""The files of a container seen from outside, whether it runs or not: for `cp`, `export`, `diff` and `commit`."""

import os
from collections.abc import Callable

from labbox.engine.embedded.departure import join_outer_user_namespace
from labbox.engine.embedded.host import Host
from labbox.engine.embedded.overlay import mount_overlay
from labbox.engine.embedded.records import Container
from labbox.errors import ConflictError
from labbox.files import take_lock
from labbox.lightweight_typing import TypeVar
from labbox.linux import mounts, namespaces
from labbox.linux.idmap import Identity, enter_user_namespace, run_forked
from labbox.processes import is_alive

_Result = TypeVar("_Result")
_PATIENCE_SECONDS = 10.0


def run_in_root(host: Host, identity: Identity, container: Container, function: Callable[[int], _Result]) -> _Result:
    """Call `function(root)` in a child that is the container's root user; `root` is a descriptor of its root folder.

    Of a running container that is its root as its processes see it, with all its mounts; a stopped one's image and
    writable layer are mounted for the occasion. The result or exception comes back pickled. Paths must be resolved by
    `rooted.open_in_root`: the files are the container's, and it may run.
    """
    if container.state.status == "running":
        return _run_in_live_root(container, identity, function)
    lock = take_lock(container.folder.lock, patience_seconds=_PATIENCE_SECONDS)
    if lock is None:
        raise ConflictError(f"container {container.spec.name} is being changed by another command")
    try:
        layers = list(reversed(host.layer_folders(container.spec)))
        return run_forked(lambda: _enter_private_mounts(identity), lambda: function(_mount_stopped(container, layers)))
    finally:
        os.close(lock)


def _run_in_live_root(container: Container, identity: Identity, function: Callable[[int], _Result]) -> _Result:
    pid = container.state.pid

    def join() -> None:
        if identity.mode != "root":
            join_outer_user_namespace(pid)

    return run_forked(join, lambda: function(_open_live_root(container)))


def _open_live_root(container: Container) -> int:
    root = _open_root(f"/proc/{container.state.pid}/root")
    if not is_alive(container.process):  # the number may be another process's by now, whose root is the host's
        raise ConflictError(f"container {container.spec.name} is not running")
    return root


def _enter_private_mounts(identity: Identity) -> None:
    enter_user_namespace(identity)
    namespaces.unshare(namespaces.CLONE_NEWNS)
    mounts.set_propagation("/", mounts.MS_REC | mounts.MS_SLAVE)


def _mount_stopped(container: Container, layers: list[str]) -> int:
    folder = container.folder
    mount_overlay(layers, folder.upper, folder.work, folder.merged)
    return _open_root(folder.merged)


def _open_root(path: str) -> int:
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
