"""Leaving the host: what a forked child does before a fresh interpreter takes over inside other namespaces.

Small on purpose: the command line and the monitor import this, and not what the container's processes need.
"""

import os

from labbox.engine.embedded import interpreter
from labbox.lightweight_typing import Any
from labbox.linux import mounts, namespaces
from labbox.linux.idmap import Identity, enter_user_namespace

# The modules that run as programs of their own inside other namespaces.
_STAGE = "labbox.engine.embedded.stage"
_EXEC_STAGE = "labbox.engine.embedded.exec_stage"


def warm_stages() -> None:
    """Make sure that what runs inside is compiled."""
    interpreter.warm_bytecode((_STAGE, _EXEC_STAGE))


def leave_host(identity: Identity, plan: dict[str, Any], plan_descriptor: int, channel: int) -> None:
    """For a new container: join its cgroups, enter user and mount namespaces, execute `stage`. Does not return."""
    _join_cgroups(plan["cgroups"])
    python = interpreter.interpreter_path()
    protected = interpreter.needs_protection(python, identity.mode)
    enter_user_namespace(identity)
    _unshare_mounts()
    if protected:
        interpreter.protect(python)
    interpreter.execute_module(python, _STAGE, (plan_descriptor, channel))


def join_container(plan: dict[str, Any], plan_descriptor: int, channel: int) -> None:
    """For one more command: become root of the container's outer user namespace, execute `exec_stage`. Does not return.

    Plan keys beside the payload's: `pid` of init, `join` (namespace flags), `inner` (init has a user namespace of its
    own inside), `cgroups` (files to write our number to).
    """
    _join_cgroups(plan["cgroups"])
    python = interpreter.interpreter_path()
    protected = interpreter.needs_protection(python, plan["payload"]["mode"])
    container = os.pidfd_open(plan["pid"])
    if plan["payload"]["mode"] != "root":
        join_outer_user_namespace(plan["pid"])
    if not protected:
        from labbox.engine.embedded.exec_stage import main  # noqa: PLC0415  (only here, where nothing is executed anew)

        main(plan_descriptor, channel, container)
    _unshare_mounts()
    interpreter.protect(python)
    interpreter.execute_module(python, _EXEC_STAGE, (plan_descriptor, channel, container))


def join_outer_user_namespace(pid: int) -> None:
    """Become root of the user namespace that owns the mounts of process `pid`, as whose creator we may."""
    mount_namespace = namespaces.open_namespace(pid, "mnt")
    outer = namespaces.owning_user_namespace(mount_namespace)
    namespaces.setns(outer, namespaces.CLONE_NEWUSER)
    os.close(outer)
    os.close(mount_namespace)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _join_cgroups(paths: list[str]) -> None:
    for path in paths:
        with open(path, "w", encoding="ascii") as file:
            file.write(str(os.getpid()))


def _unshare_mounts() -> None:
    namespaces.unshare(namespaces.CLONE_NEWNS)
    mounts.set_propagation("/", mounts.MS_REC | mounts.MS_SLAVE)
