"""From the command line's fork to one more process in a running container: the process that joins its namespaces.

A first step joins the user namespace that owns the container's mounts and replaces itself by a fresh interpreter from a
read-only mount (see `interpreter`); the second joins everything else, forks the command and reports how it ended.
"""

import os
import select

from labbox.engine.embedded import init, messages
from labbox.engine.embedded.failures import exit_code_of, report_failure
from labbox.engine.embedded.payload import make_payload
from labbox.lightweight_modules import suppress
from labbox.lightweight_typing import Any
from labbox.linux import namespaces, terminals
from labbox.linux.process import PR_SET_DUMPABLE, prctl, reset_signals

_DRAIN_SIZE = 1 << 16


def main(descriptor: int) -> None:
    """Wait for the plan, join the container, run the command, say how it ended. Does not return.

    Plan keys beside the payload's: `join` (namespace flags), `inner` (init has a user namespace of its own inside). The
    first descriptor is a pidfd of the container's process 1, the others are the command's standard streams.
    """
    channel = messages.adopt(descriptor)
    try:
        received = messages.receive_plan(channel)
        if received is None:
            os._exit(0)  # nothing came of it
        plan, (container, *plan["standard"]) = received
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
    with suppress(BrokenPipeError):
        messages.send(channel, "exited", exit_code_of(status))
    os._exit(0)


def _drain(master: int) -> bool:
    try:
        return bool(os.read(master, _DRAIN_SIZE))
    except BlockingIOError:
        return True
    except OSError:
        return False
