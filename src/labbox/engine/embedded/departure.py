"""Leaving the host: children that become a fresh, lean interpreter in other namespaces and wait there for their plan.

Small on purpose: the command line and the monitor import this, and not what the container's processes need. A child
can be started before its plan is known, so that its interpreter loads while the command line still reads and decides.
"""

import os

from labbox.engine.embedded import interpreter, messages
from labbox.engine.embedded.failures import report_failure
from labbox.lightweight_modules import signal
from labbox.lightweight_typing import Callable, NamedTuple
from labbox.linux import mounts, namespaces
from labbox.linux.idmap import Identity, enter_user_namespace
from labbox.linux.process import close_from, reset_signals

# The modules that run as programs of their own inside other namespaces.
_STAGE = "labbox.engine.embedded.stage"
_EXEC_STAGE = "labbox.engine.embedded.exec_stage"


class Departed(NamedTuple):
    """A child on its way: its process number, and the channel on which it waits for its plan."""

    pid: int
    channel: messages.Channel


def start_stage(identity: Identity) -> Departed:
    """A process in new user and mount namespaces, about to run `stage`: the parent of a container's process 1."""

    def leave(channel: int) -> None:
        python = interpreter.interpreter_path()
        protected = interpreter.needs_protection(python, identity.mode)
        enter_user_namespace(identity)
        _execute(python, _STAGE, channel, protected=protected)

    return _depart(leave)


def start_exec_stage(identity: Identity, pid: int | None) -> Departed:
    """A process about to run `exec_stage`, which joins a container; `pid` is the container's process 1.

    As the real root it can be started without `pid`; else it first becomes root of the container's user namespace.
    """

    def leave(channel: int) -> None:
        python = interpreter.interpreter_path()
        protected = interpreter.needs_protection(python, identity.mode)
        if pid is not None and identity.mode != "root":
            join_outer_user_namespace(pid)
        _execute(python, _EXEC_STAGE, channel, protected=protected)

    return _depart(leave)


def warm_stages() -> None:
    """Make sure that what runs inside is compiled."""
    interpreter.warm_bytecode((_STAGE, _EXEC_STAGE))


def join_outer_user_namespace(pid: int) -> None:
    """Become root of the user namespace that owns the mounts of process `pid`, as whose creator we may."""
    mount_namespace = namespaces.open_namespace(pid, "mnt")
    outer = namespaces.owning_user_namespace(mount_namespace)
    namespaces.setns(outer, namespaces.CLONE_NEWUSER)
    os.close(outer)
    os.close(mount_namespace)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _depart(leave: Callable[[int], None]) -> Departed:
    ours, theirs = messages.make_channel()
    child = os.fork()
    if child == 0:
        try:
            _forget_the_past(theirs.fileno())
            leave(theirs.fileno())
        except BaseException as error:  # noqa: BLE001  (the process ends here, and the other side tells what it said)
            report_failure(theirs, error)
        finally:
            os._exit(125)
    theirs.close()
    return Departed(child, ours)


def _forget_the_past(channel: int) -> None:
    """Close what the parent had open and undo what it did about signals."""
    os.setsid()
    os.umask(0o022)  # what is made for the container has the modes it is given, not what the user's umask leaves
    signal.set_wakeup_fd(-1)
    null = os.open("/dev/null", os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    close_from(3, (channel,))
    reset_signals()


def _execute(python: str, module: str, channel: int, *, protected: bool) -> None:
    namespaces.unshare(namespaces.CLONE_NEWNS)
    mounts.set_propagation("/", mounts.MS_REC | mounts.MS_SLAVE)
    if protected:
        interpreter.protect(python)
    interpreter.execute_module(python, module, channel)
