"""From the command line's fork to one more process in a running container: the process that joins its namespaces.

A first step joins the user namespace that owns the container's mounts and replaces itself by a fresh interpreter from a
read-only mount (see `interpreter`); the second joins everything else, forks the command and reports how it ended.
"""

import os
import select
from typing import Any

from labbox.engine.embedded import init, interpreter, messages
from labbox.engine.embedded.payload import make_payload
from labbox.engine.embedded.stage import report_failure
from labbox.linux import mounts, namespaces, terminals
from labbox.linux.process import PR_SET_DUMPABLE, prctl, reset_signals

_DRAIN_SIZE = 1 << 16


def join_container(plan: dict[str, Any], plan_descriptor: int, channel: int) -> None:
    """In the command line's forked child: become root of the container's outer user namespace, go on. Does not return.

    Plan keys beside the payload's: `pid` of init, `join` (namespace flags), `inner` (init has a user namespace of its
    own inside), `cgroups` (files to write our number to).
    """
    for path in plan["cgroups"]:
        with open(path, "w", encoding="ascii") as file:
            file.write(str(os.getpid()))
    python = interpreter.interpreter_path()
    protected = interpreter.needs_protection(python, plan["payload"]["mode"])
    container = os.pidfd_open(plan["pid"])
    if plan["payload"]["mode"] != "root":
        join_outer_user_namespace(plan["pid"])
    if not protected:
        main(plan_descriptor, channel, container)
    namespaces.unshare(namespaces.CLONE_NEWNS)
    mounts.set_propagation("/", mounts.MS_REC | mounts.MS_SLAVE)
    interpreter.protect(python)
    interpreter.execute_module(python, __name__, (plan_descriptor, channel, container))


def main(plan_descriptor: int, channel_descriptor: int, container: int) -> None:
    """Join the container, run the command, say how it ended. Does not return."""
    channel = messages.adopt(channel_descriptor)
    try:
        plan = messages.read_plan(plan_descriptor)
        prctl(PR_SET_DUMPABLE, 0)
        namespaces.setns(container, plan["join"])
        if plan["inner"]:
            namespaces.setns(container, namespaces.CLONE_NEWUSER)
            prctl(PR_SET_DUMPABLE, 0)
        os.close(container)
        _run(channel, plan)
    except BaseException as error:  # noqa: BLE001  (the process ends here, and the command line tells what it said)
        report_failure(channel, error)
    finally:
        os._exit(125)


def join_outer_user_namespace(pid: int) -> None:
    """Become root of the user namespace that owns the mounts of process `pid`, as whose creator we may."""
    mount_namespace = namespaces.open_namespace(pid, "mnt")
    outer = namespaces.owning_user_namespace(mount_namespace)
    namespaces.setns(outer, namespaces.CLONE_NEWUSER)
    os.close(outer)
    os.close(mount_namespace)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _run(channel: messages.Channel, plan: dict[str, Any]) -> None:
    reset_signals()
    payload = make_payload(plan["payload"])
    init.delegate_ownership(channel, plan["payload"]["ownership_filter"])
    standard: tuple[int, ...] = tuple(plan["standard"])
    master = -1
    if payload.terminal:
        master, slave = terminals.open_terminal()
        messages.send(channel, "terminal", None, (master,))
        standard = (slave, slave, slave)
    child = init.fork_payload(payload, standard)
    for descriptor in set(standard):
        os.close(descriptor)
    messages.send(channel, "started", child)
    _await_child(channel, child, master)


def _await_child(channel: messages.Channel, child: int, master: int) -> None:
    """Report the exit code; when the command line has gone away, keep its terminal drained so that nothing blocks."""
    pidfd = os.pidfd_open(child)
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    poller.register(channel, select.POLLHUP)
    ended = False
    while not ended:
        for descriptor, _ in poller.poll():
            if descriptor == pidfd:
                ended = True
            elif descriptor == channel.fileno():
                poller.unregister(channel)
                if master >= 0:
                    os.set_blocking(master, False)
                    poller.register(master, select.POLLIN)
            elif not _drain(master):
                poller.unregister(master)
    _, status = os.waitpid(child, 0)
    try:
        messages.send(channel, "exited", init.exit_code_of(status))
    except BrokenPipeError:
        pass
    os._exit(0)


def _drain(master: int) -> bool:
    try:
        return bool(os.read(master, _DRAIN_SIZE))
    except BlockingIOError:
        return True
    except OSError:
        return False
