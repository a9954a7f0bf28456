"""Process 1 of a container: starts the command, passes signals on, reaps orphans, ends as the command ends.

A process 1 without handlers never sees SIGTERM (pid_namespaces(7)), so a command as process 1 would be killed only
after the time-out of `stop`; with init in front it ends at once. `--no-init` makes the command itself process 1.
"""

import marshal
import os

from labbox.engine.embedded import messages
from labbox.engine.embedded.failures import describe_failure, exit_code_of, raise_failure
from labbox.engine.embedded.payload import Payload, make_payload, start_payload
from labbox.errors import EngineError
from labbox.lightweight_modules import signal, suppress
from labbox.lightweight_typing import Any
from labbox.linux.idmap import Identity, IdRange, enter_user_namespace
from labbox.linux.process import PR_SET_DUMPABLE, PR_SET_PDEATHSIG, close_from, prctl, set_process_name
from labbox.linux.seccomp import install_listener


def run_command(channel: messages.Channel, plan: dict[str, Any]) -> None:
    """Start the plan's command and stay until it ends; the process then ends with the command's exit code.

    Exit codes are docker's: 128+n for a command killed by signal n. Raises EngineError when it cannot be started.
    """
    payload = make_payload(plan["payload"])
    if plan["payload"]["mode"] == "single":
        _become_only_user(payload)
    delegate_ownership(channel, plan["payload"]["ownership_filter"])
    terminal = _open_terminal(channel, payload) if payload.terminal else None
    standard = (terminal, terminal, terminal) if terminal is not None else tuple(plan["standard"])
    if not plan["init"]:
        _become_command(channel, payload, standard)
    child = fork_payload(payload, standard)
    messages.send(channel, "started")
    channel.close()
    null = os.open("/dev/null", os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    close_from(3)
    os._exit(_reap_until(child))


def delegate_ownership(channel: messages.Channel, program: bytes) -> None:
    """Hand calls that change owners, of this process and all it starts, to the monitor (mode `single`)."""
    if program:
        listener = install_listener(program)
        messages.send(channel, "ownership", None, (listener,))
        os.close(listener)


def fork_payload(payload: Payload, standard: tuple[int, ...]) -> int:
    """Fork and start a payload; returns its number once the program runs, raises EngineError when it cannot."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        _start_or_report(payload, standard, writer)
    os.close(writer)
    with open(reader, "rb") as file:
        failure = file.read()
    if failure:
        os.waitpid(child, 0)
        exit_code, text = marshal.loads(failure)  # noqa: S302  (written by our own process)
        raise_failure(exit_code, text)
    return child


def _become_only_user(payload: Payload) -> None:
    """With one id only: what was root while mounting becomes the container's user in a nested user namespace."""
    if (payload.user.uid, payload.user.gid) == (0, 0):
        return
    inner = Identity(mode="single", uids=(IdRange(payload.user.uid, 0, 1),), gids=(IdRange(payload.user.gid, 0, 1),))
    enter_user_namespace(inner)
    # Changed credentials have reset both.
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _start_or_report(payload: Payload, standard: tuple[int, ...], writer: int) -> None:
    try:
        start_payload(payload, standard, keep=writer)
    except BaseException as error:  # noqa: BLE001  (the process ends here, and its parent tells what it said)
        exit_code = error.exit_code if isinstance(error, EngineError) else EngineError.exit_code
        os.write(writer, marshal.dumps((exit_code, describe_failure(error))))
    finally:
        os._exit(EngineError.exit_code)


def _become_command(channel: messages.Channel, payload: Payload, standard: tuple[int, ...]) -> None:
    """Without init: the command is process 1. The channel closes by itself when the program has been executed."""
    messages.send(channel, "starting")
    start_payload(payload, standard, keep=channel.fileno(), dies_with_parent=True)


def _open_terminal(channel: messages.Channel, payload: Payload) -> int:
    """A terminal of the container's own devpts: the monitor gets the master, /dev/console and the command the slave."""
    # Only containers with a terminal need them.
    from labbox.linux import mounts, terminals  # noqa: PLC0415

    master, slave = terminals.open_terminal()
    messages.send(channel, "terminal", None, (master,))
    os.close(master)
    with suppress(OSError):  # with one id only the owner is right already
        os.fchown(slave, payload.user.uid, -1)
    console = os.open("/dev/console", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.close(console)
    mounts.mount(f"/dev/pts/{os.path.basename(os.ttyname(slave))}", "/dev/console", "none", mounts.MS_BIND)
    return slave


def _reap_until(child: int) -> int:
    """Pass signals on and reap until `child` ends; its exit code."""
    set_process_name("labbox-init")
    waited = signal.valid_signals()
    while True:
        number = signal.sigwait(waited)
        if number != signal.SIGCHLD:
            try:
                os.kill(child, number)
            except ProcessLookupError:
                continue
        exit_code = _reap(child)
        if exit_code is not None:
            return exit_code


def _reap(child: int) -> int | None:
    """Collect every ended child; the exit code of `child` when it is among them."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid == child:
            return exit_code_of(status)
