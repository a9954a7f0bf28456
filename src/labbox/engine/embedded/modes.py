"""Which identity mode this user has on this machine, found by trying, and remembered until the machine restarts."""

import os
import pwd
import stat

from labbox.errors import UnsupportedError, UsageError
from labbox.files import make_private_folder, read_json, write_json
from labbox.lightweight_typing import Callable
from labbox.linux import mounts, namespaces
from labbox.linux.idmap import (
    Identity,
    IdRange,
    read_subordinate_ranges,
    root_identity,
    run_mapped,
    single_identity,
    subuid_identity,
)
from labbox.processes import boot_id

_MODES = ("root", "subuid", "single")


def choose_identity(runtime_dir: str, *, wanted: str | None = None) -> Identity:
    """The best identity that really works: root, else subordinate ids, else one id.

    `wanted` (setting `LABBOX_MODE`) names one and no other is tried. Raises UnsupportedError with the reason and the
    fix when none works.
    """
    if wanted and wanted not in _MODES:
        raise UsageError(f"unknown mode `{wanted}`", hint=f"choose one of {', '.join(_MODES)}")
    name = f"identity-{wanted or 'auto'}-{os.geteuid()}.json"
    folder = _open_own_folder(runtime_dir)
    if folder is None:
        return find_identity(wanted)
    try:
        path = f"/proc/self/fd/{folder}/{name}"
        identity = _read_remembered(path)
        if identity is None:
            identity = find_identity(wanted)
            write_json(path, {"boot_id": boot_id(), "identity": identity}, durable=False)
        return identity
    finally:
        os.close(folder)


def find_identity(wanted: str | None = None) -> Identity:
    """As `choose_identity`, by trying now."""
    failures = []
    for mode in (wanted,) if wanted else _MODES:
        if wanted is None and (mode == "root") != (os.geteuid() == 0):
            continue  # the real root needs no user namespace, and nobody else can do without
        try:
            identity = _candidate(str(mode))
            try_identity(identity)
        except (OSError, UnsupportedError) as error:
            failures.append(f"{mode}: {error.strerror or error if isinstance(error, OSError) else error}")
        else:
            return identity
    raise UnsupportedError(f"no way to run containers here ({'; '.join(failures)})", hint=explain_refusal())


def try_identity(identity: Identity) -> None:
    """Enter the identity's namespaces in a child and mount something there.

    Raises OSError or UnsupportedError where that is refused.
    """
    if identity.mode == "root":
        run_in_child(_mount_something)
    else:
        run_mapped(identity, _mount_something)


def run_in_child(function: Callable[[], None]) -> None:
    """Run a function in a forked child that stays root; its OSError comes back."""
    child = os.fork()
    if child == 0:
        try:
            function()
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        number = os.WEXITSTATUS(status)
        raise OSError(number, f"unshare: {os.strerror(number)}")


def explain_refusal() -> str:
    """What to do where user namespaces are refused, as far as the machine tells."""
    if _read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1:
        return "allow user namespaces: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    if _read_number("/proc/sys/kernel/unprivileged_userns_clone") == 0:
        return "allow user namespaces: sudo sysctl -w kernel.unprivileged_userns_clone=1"
    if _read_number("/proc/sys/user/max_user_namespaces") == 0:
        return "allow user namespaces: sudo sysctl -w user.max_user_namespaces=28633"
    return "ask the administrator to allow user namespaces; inside another container, start it with --privileged"


def _candidate(mode: str) -> Identity:
    if mode == "root":
        if os.geteuid() != 0:
            raise UnsupportedError("you are not root")
        return root_identity()
    if mode == "single":
        return single_identity()
    uid = os.geteuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return subuid_identity(
        read_subordinate_ranges("/etc/subuid", user, uid), read_subordinate_ranges("/etc/subgid", user, uid)
    )


def _mount_something() -> None:
    namespaces.unshare(namespaces.CLONE_NEWNS)
    mounts.set_propagation("/", mounts.MS_REC | mounts.MS_SLAVE)
    mounts.mount("tmpfs", "/tmp", "tmpfs")


def _open_own_folder(path: str) -> int | None:
    """A descriptor of the folder, made when missing; None when it is not ours alone.

    In /tmp anybody can make it first, and XDG_RUNTIME_DIR survives `su`: what others may write is neither believed
    nor written to.
    """
    try:
        make_private_folder(path)
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    status = os.fstat(folder)
    if status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return folder
    os.close(folder)
    return None


def _read_remembered(path: str) -> Identity | None:
    try:
        document = read_json(path)
        if document["boot_id"] != boot_id():
            return None
        mode, uids, gids = document["identity"]
        return Identity(mode, tuple(IdRange(*entry) for entry in uids), tuple(IdRange(*entry) for entry in gids))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read_number(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None
