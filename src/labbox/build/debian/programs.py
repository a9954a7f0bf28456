"""Programs of the new system, run in the chamber: without network, sleep or sync, their output kept for messages."""

import array
import fcntl
import os
import select
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from labbox.errors import PackageError
from labbox.linux import capabilities
from labbox.linux.ownership import OwnershipSupervisor
from labbox.linux.process import fork, reset_signals
from labbox.linux.seccomp import install_filter, install_listener
from labbox.linux.seccomp_compile import (
    IDENTITY_CALLS,
    SLEEP_CALLS,
    SYNC_CALLS,
    fake_success_filter,
    ownership_notify_filter,
)

_TAIL_BYTES = 4000
_MESSAGE_LINES = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRunner:
    """How programs are run: environment, filters, and whether changes of owner are recorded instead of made."""

    environment: Mapping[str, str]
    quick_filter: bytes
    ownership_filter: bytes | None
    last_capability: int

    def run(
        self,
        command: Sequence[str],
        *,
        extra: Mapping[str, str] | None = None,
        on_status: Callable[[str], None] | None = None,
        what: str = "",
    ) -> None:
        """Run a program to its end; PackageError with the end of its output when it fails.

        With `on_status` the program gets a pipe as descriptor 3, and each line it writes there is passed on.
        """
        status_code, output = self._run(command, {**self.environment, **(extra or {})}, on_status)
        if status_code != 0:
            tail = b"\n".join(output.strip().split(b"\n")[-_MESSAGE_LINES:]).decode("utf-8", "replace")
            raise PackageError(f"`{what or ' '.join(command)}` failed with exit status {status_code}:\n{tail}")

    def _run(
        self, command: Sequence[str], environment: Mapping[str, str], on_status: Callable[[str], None] | None
    ) -> tuple[int, bytes]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        output_reader, output_writer = os.pipe2(os.O_CLOEXEC)
        status_reader, status_writer = os.pipe2(os.O_CLOEXEC)
        child = fork()
        if child == 0:
            self._execute(command, environment, theirs, output_writer, status_writer)
        theirs.close()
        os.close(output_writer)
        os.close(status_writer)
        ended = os.pidfd_open(child)
        supervisor = self._receive_supervisor(ours)
        try:
            output = _attend(ended, output_reader, status_reader, supervisor, on_status)
        finally:
            for descriptor in (ended, output_reader, status_reader):
                os.close(descriptor)
            if supervisor is not None:
                supervisor.close()
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status), output

    def _execute(
        self, command: Sequence[str], environment: Mapping[str, str], channel: socket.socket, output: int, status: int
    ) -> None:
        """In the child: filters, descriptors, then the program. Does not return."""
        try:
            reset_signals()
            if self.ownership_filter is not None:
                listener = install_listener(self.ownership_filter)
                channel.sendmsg([b"L"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))])
                os.close(listener)
            install_filter(self.quick_filter)
            capabilities.limit_bounding_set(capabilities.mask_of(capabilities.DOCKER_DEFAULT), self.last_capability)
            nothing = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
            # First out of the way: any of them may stand where another one must go.
            moved = [fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, 16) for source in (nothing, output, output, status)]
            for number, source in enumerate(moved):
                os.dup2(source, number, inheritable=True)
            os.chdir("/")
            os.execve(command[0], list(command), dict(environment))
        except OSError as error:
            os.write(output, f"{command[0]}: {error}\n".encode())
        finally:
            os._exit(127)

    def _receive_supervisor(self, channel: socket.socket) -> OwnershipSupervisor | None:
        with channel:
            if self.ownership_filter is None:
                return None
            _, ancillary, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(4))
            for _, _, data in ancillary:
                return OwnershipSupervisor(array.array("i", data)[0])
        return None


def make_runner(environment: Mapping[str, str], *, records_owners: bool) -> ProgramRunner:
    """A runner for this machine; call it while modules can still be loaded."""
    machine = os.uname().machine
    # With one id nobody can become another user: scripts that do (su, runuser) go on as root.
    identity_calls = IDENTITY_CALLS if records_owners else ()
    return ProgramRunner(
        environment=environment,
        quick_filter=fake_success_filter([*SYNC_CALLS, *SLEEP_CALLS, *identity_calls], machine),
        ownership_filter=ownership_notify_filter(machine) if records_owners else None,
        last_capability=capabilities.last_capability(),
    )


def _attend(
    ended: int,
    output_reader: int,
    status_reader: int,
    supervisor: OwnershipSupervisor | None,
    on_status: Callable[[str], None] | None,
) -> bytes:
    """Serve the program until it ends, and return the end of its output.

    What it leaves running is not waited for: the chamber's end is theirs.
    """
    output, status_rest = b"", b""
    os.set_blocking(output_reader, False)
    os.set_blocking(status_reader, False)
    poller = select.poll()
    for descriptor in (ended, output_reader, status_reader):
        poller.register(descriptor, select.POLLIN)
    if supervisor is not None:
        poller.register(supervisor.fileno(), select.POLLIN)
    has_ended = False
    while not has_ended:
        ready = {descriptor for descriptor, _ in poller.poll()}
        has_ended = ended in ready
        if supervisor is not None and supervisor.fileno() in ready and not supervisor.handle():
            poller.unregister(supervisor.fileno())
        output = (output + _read_available(output_reader, poller))[-_TAIL_BYTES:]
        *lines, status_rest = (status_rest + _read_available(status_reader, poller)).split(b"\n")
        for line in lines:
            if on_status is not None:
                on_status(line.decode("utf-8", "replace"))
    return output


def _read_available(descriptor: int, poller: "select.poll") -> bytes:
    """What a pipe holds now; one that nobody writes to any more is not asked again."""
    data = b""
    try:
        while chunk := os.read(descriptor, 1 << 16):
            data += chunk
    except BlockingIOError:
        return data
    with suppress(KeyError):
        poller.unregister(descriptor)
    return data
