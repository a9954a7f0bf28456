"""From the monitor's fork to process 1 of the container: the two processes that build its world.

The *stage* process leaves the host's namespaces, replaces itself by a lean interpreter and forks *init*, process 1 of
the new pid namespace; init reports its own number to the monitor by way of the stage, which then ends. Init mounts the
root file system, turns the key (pivot_root) and starts the command.

After pivot_root the standard library is out of reach: everything below is imported before.
"""

import os

from labbox.engine.embedded import init, messages, operations
from labbox.engine.embedded.failures import report_failure
from labbox.engine.embedded.network import bring_loopback_up, set_up_network
from labbox.engine.embedded.overlay import mount_root
from labbox.engine.embedded.rooted import make_folder
from labbox.lightweight_modules import signal
from labbox.lightweight_typing import Any
from labbox.linux import mounts, namespaces
from labbox.linux.process import PR_SET_DUMPABLE, PR_SET_PDEATHSIG, prctl, set_command_line, set_process_name

_OWN_NAMESPACES = (
    namespaces.CLONE_NEWPID | namespaces.CLONE_NEWIPC | namespaces.CLONE_NEWUTS | namespaces.CLONE_NEWCGROUP
)


def main(descriptor: int) -> None:
    """The lean interpreter's entry: wait for the plan, make the remaining namespaces, fork init. Does not return."""
    channel = messages.adopt(descriptor)
    try:
        received = messages.receive_plan(channel)
        if received is None:
            os._exit(0)  # nothing came of it
        plan, plan["standard"] = received
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        network = 0 if plan["network"] == "host" else namespaces.CLONE_NEWNET
        namespaces.unshare(_OWN_NAMESPACES | network)
        child = os.fork()
        if child == 0:
            _run_init(channel, plan)
        messages.send(channel, "init", child)
    except BaseException as error:  # noqa: BLE001  (as above: this is the top of a process)
        report_failure(channel, error)
    os._exit(0)


def _run_init(channel: messages.Channel, plan: dict[str, Any]) -> None:
    """Process 1: build the world, then run the command. Never returns."""
    try:
        set_process_name("labbox-init")
        set_command_line("labbox-init")
        prctl(PR_SET_DUMPABLE, 0)
        _wait_for_monitor(channel)
        _make_network(channel, plan)
        _enter_root(plan)
        init.run_command(channel, plan)
    except BaseException as error:  # noqa: BLE001  (the process ends here, and the monitor tells what it said)
        report_failure(channel, error)
    finally:
        os._exit(125)


def _wait_for_monitor(channel: messages.Channel) -> None:
    """Go on once the monitor is our parent, and die with it from then on."""
    if messages.receive(channel) is None:
        os._exit(125)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _make_network(channel: messages.Channel, plan: dict[str, Any]) -> None:
    """`auto`: an address, redirects, and the relay's sockets for the monitor; `none`: the loopback device alone."""
    if plan["network"] == "auto":
        sockets = set_up_network(ipv6=plan["ipv6"])
        descriptors = (*sockets.tcp, *sockets.dns)
        messages.send(channel, "network", len(sockets.tcp), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
    elif plan["network"] == "none":
        bring_loopback_up()


def _enter_root(plan: dict[str, Any]) -> None:
    """Mount everything, make it the root, and leave the host's tree behind."""
    if plan["hostname"]:
        namespaces.set_hostname(plan["hostname"])
    merged = mount_root(plan["root"])
    root = os.open(merged, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for operation in plan["operations"]:
        operations.execute(operation, root)
    if plan["working_dir"]:
        os.close(make_folder(root, plan["working_dir"]))
    if plan["read_only"]:
        _seal(root, devices=plan["root"]["devices"])
    os.fchdir(root)
    os.close(root)
    mounts.pivot_root(".", ".")
    mounts.umount(".")
    os.chdir("/")


def _seal(root: int, *, devices: bool) -> None:
    """Make the root's own mount read-only, not what is mounted on it.

    A remount replaces all flags of a mount (mount(2)): device nodes stay closed only when it says so again.
    """
    flags = mounts.MS_REMOUNT | mounts.MS_BIND | mounts.MS_RDONLY | (0 if devices else mounts.MS_NODEV)
    mounts.mount("none", f"/proc/self/fd/{root}", "none", flags)
