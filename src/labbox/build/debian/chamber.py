"""The chamber: namespaces in which a new system is unpacked and configured, cut off from the host.

Processes, mounts, host name, IPC and network are its own; there is no network device. Its root is the new system, with
fresh /proc and /dev. Modules are not found any more once the root has changed: everything is imported before.
"""

import os
from collections.abc import Callable
from typing import TypeVar

from labbox.build.children import Report, call_in_child, die_with_parent
from labbox.linux import mounts, namespaces
from labbox.linux.idmap import Identity, enter_user_namespace
from labbox.linux.process import PR_SET_DUMPABLE, prctl

HOSTNAME = "localhost"
_NAMESPACES = (
    namespaces.CLONE_NEWNS
    | namespaces.CLONE_NEWPID
    | namespaces.CLONE_NEWUTS
    | namespaces.CLONE_NEWIPC
    | namespaces.CLONE_NEWNET
)
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
_MOUNT_POINTS = ("dev", "proc")
_Result = TypeVar("_Result")


def call_as_system_root(identity: Identity, function: Callable[[Report], _Result], report: Report) -> _Result:
    """Call a function as the root of images: with its user namespace, if the identity has one, and nothing else."""

    def work(report: Report) -> _Result:
        enter_user_namespace(identity)
        prctl(PR_SET_DUMPABLE, 1)  # a change of ids makes /proc/self the host root's (prctl(2))
        die_with_parent()
        os.umask(0o022)
        return function(report)

    return call_in_child(work, report, what="the build process")


def call_in_chamber(prepare_root: Callable[[], str], function: Callable[[Report], _Result], report: Report) -> _Result:
    """Call a function as process 1 of a chamber whose root is the folder that `prepare_root` returns.

    `prepare_root` runs inside the mount namespace and may mount. The caller is the root of its user namespace.
    """

    def enter(report: Report) -> _Result:
        namespaces.unshare(_NAMESPACES)
        return call_in_child(lambda report: _settle(prepare_root, function, report), report, what="the chamber")

    return call_in_child(enter, report, what="the chamber's door")


def _settle(prepare_root: Callable[[], str], function: Callable[[Report], _Result], report: Report) -> _Result:
    mounts.set_propagation("/", mounts.MS_REC | mounts.MS_SLAVE)
    namespaces.set_hostname(HOSTNAME)
    root = prepare_root()
    mounts.mount(root, root, "none", mounts.MS_BIND | mounts.MS_REC)
    for name in _MOUNT_POINTS:
        os.makedirs(f"{root}/{name}", 0o755, exist_ok=True)
    _mount_devices(f"{root}/dev")
    _mount_proc(f"{root}/proc")
    os.chdir(root)
    mounts.pivot_root(".", ".")
    mounts.umount(".")
    os.chdir("/")
    return function(report)


def _mount_devices(folder: str) -> None:
    # Without mode=755 the folder is 1777, and opening the devices with O_CREAT is refused in a user namespace
    # (protected_regular, proc_sys_fs(5)).
    mounts.mount("tmpfs", folder, "tmpfs", mounts.MS_NOSUID | mounts.MS_NOEXEC, "mode=755,size=64m")
    for name in _DEVICES:
        place = f"{folder}/{name}"
        os.close(os.open(place, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666))
        mounts.mount(f"/dev/{name}", place, "none", mounts.MS_BIND)
    for name, target in _DEVICE_LINKS.items():
        os.symlink(target, f"{folder}/{name}")
    os.mkdir(f"{folder}/shm", 0o1777)
    os.mkdir(f"{folder}/pts", 0o755)
    mounts.mount("devpts", f"{folder}/pts", "devpts", mounts.MS_NOSUID | mounts.MS_NOEXEC, "newinstance,ptmxmode=0666")


def _mount_proc(folder: str) -> None:
    flags = mounts.MS_NOSUID | mounts.MS_NODEV | mounts.MS_NOEXEC
    try:
        mounts.mount("proc", folder, "proc", flags)
    except PermissionError:
        # Inside another container parts of /proc are covered, and a new one would show them: share what is there.
        mounts.mount("/proc", folder, "none", mounts.MS_BIND | mounts.MS_REC)
