"""One more command in a running container, seen from the command line that asked for it."""

import os
import select

from labbox.engine.embedded import frames, messages
from labbox.engine.embedded.attachment import DetachKeys, Outcome, connect, on_resize, woken_by_signals, write_all
from labbox.engine.embedded.departure import Departed, start_exec_stage
from labbox.engine.embedded.failures import raise_failure
from labbox.engine.embedded.feed import Feed
from labbox.engine.embedded.folders import ContainerFolder
from labbox.engine.embedded.host import Host
from labbox.engine.embedded.plan import plan_exec_payload
from labbox.engine.embedded.records import Container
from labbox.engine.specification import ExecSpec
from labbox.errors import ConflictError
from labbox.lightweight_modules import ExitStack
from labbox.lightweight_typing import Any
from labbox.linux import namespaces, terminals
from labbox.linux.idmap import Identity
from labbox.linux.raw_terminal import raw_mode
from labbox.processes import open_process

_CHUNK = 1 << 16
_FAILED_TO_START = 126
_JOINED = (
    namespaces.CLONE_NEWNS
    | namespaces.CLONE_NEWPID
    | namespaces.CLONE_NEWIPC
    | namespaces.CLONE_NEWUTS
    | namespaces.CLONE_NEWCGROUP
)


class Execution:
    """A command running in a container: its streams, and its end."""

    def __init__(
        self, channel: messages.Channel, folder: ContainerFolder, streams: list[int], *, terminal: bool
    ) -> None:
        self._channel = channel
        self._folder = folder
        self._terminal = terminal
        self._master = -1
        self._stdin, self._stdout, self._stderr = streams
        self.pid = 0

    def wait_started(self) -> None:
        """Return when the program runs; raises EngineError (or its kind for 126 and 127) when it does not."""
        while True:
            message = messages.receive(self._channel)
            if message is None:
                raise_failure(_FAILED_TO_START, "the container ended before the command began")
            assert message is not None
            kind, value, descriptors = message
            if kind == "started":
                self.pid = value
                return
            if kind == "failed":
                raise_failure(*value)
            if kind == "terminal":
                self._master = descriptors[0]
            if kind == "ownership":
                self._delegate(descriptors[0])

    def proxy(self, *, stdin: int | None, stdout: int, stderr: int, detach_keys: bytes) -> Outcome:
        """Carry bytes until the command ends or the detach keys are pressed."""
        with ExitStack() as stack:
            keys = None
            if self._terminal and stdin is not None and os.isatty(stdin):
                stack.enter_context(raw_mode(stdin))
                keys = DetachKeys(detach_keys)
            if self._terminal and os.isatty(stdout):
                stack.enter_context(on_resize(stdout, lambda *size: terminals.set_size(self._master, *size)))
            outputs = {self._master: stdout} if self._terminal else {self._stdout: stdout, self._stderr: stderr}
            return self._carry(stdin, outputs, keys)

    def _delegate(self, listener: int) -> None:
        """The monitor, which lives as long as the container, serves the command's changes of owner."""
        connection = connect(self._folder)
        if connection is not None:
            with connection:
                connection.send_descriptor(frames.pack(frames.OWNERSHIP), listener)
        os.close(listener)

    def _carry(self, stdin: int | None, outputs: dict[int, int], keys: DetachKeys | None) -> Outcome:
        poller = select.poll()
        for descriptor in (self._channel.fileno(), *outputs):
            poller.register(descriptor, select.POLLIN)
        feed = Feed(poller, stdin, os.dup(self._master) if self._terminal else self._stdin)
        outcome: Outcome | None = None
        with woken_by_signals(poller) as wakeup:
            while outcome is None:
                feed.settle()
                for descriptor, _ in poller.poll():
                    if descriptor == wakeup:
                        os.read(wakeup, _CHUNK)
                    elif descriptor == feed.source:
                        if self._leaves_after_input(feed, keys):
                            return Outcome("detached")
                    elif descriptor in outputs and not _copy(descriptor, outputs[descriptor]):
                        poller.unregister(descriptor)
                    elif descriptor == self._channel.fileno():
                        outcome = self._read_end()
        for descriptor, target in outputs.items():
            _copy_rest(descriptor, target)
        return outcome

    def _leaves_after_input(self, feed: Feed, keys: DetachKeys | None) -> bool:
        """Take input once; True when it has asked to detach."""
        data = feed.read()
        if data:
            feed.append(keys.filter(data) if keys is not None else data)
        elif not self._terminal:
            feed.finish()
        return keys is not None and keys.pressed

    def _read_end(self) -> Outcome:
        message = messages.receive(self._channel)
        if message is None:
            return Outcome("exited", 137)  # the container was killed, and its helper with it
        return Outcome("exited", message[1])


def start_execution(
    host: Host, identity: Identity, container: Container, exec_spec: ExecSpec, early: Departed | None
) -> Execution:
    """Start a command in a running container; ConflictError when it does not run.

    `early` is a stage started before the container was known. Call `wait_started` on what comes back.
    """
    pidfd = _open_container(container)
    stage = early or start_exec_stage(identity, container.state.pid)
    for path in host.cgroup_files_of(container):
        with open(path, "w", encoding="ascii") as file:
            file.write(str(stage.pid))
    streams, child_streams = _open_streams(exec_spec)
    try:
        plan = _make_plan(host, identity, container, exec_spec)
        messages.send_plan(stage.channel, plan, (pidfd, *child_streams))
    finally:
        for descriptor in (pidfd, *child_streams):
            os.close(descriptor)
    return Execution(stage.channel, container.folder, streams, terminal=exec_spec.terminal)


def _open_container(container: Container) -> int:
    """A pidfd of the container's process 1; ConflictError when it does not run (any more)."""
    if container.state.status == "running":
        try:
            return open_process(container.process)
        except ProcessLookupError:
            pass  # it has ended since its record was read, and its number may be another's by now
    raise ConflictError(f"container {container.spec.id} is not running")


def _open_streams(exec_spec: ExecSpec) -> tuple[list[int], list[int]]:
    """Our ends and the command's ends of its standard streams; none with a terminal."""
    if exec_spec.terminal:
        return [-1, -1, -1], []
    if exec_spec.detach:
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        return [-1, -1, -1], [null, os.dup(null), os.dup(null)]
    output, child_output = os.pipe2(os.O_CLOEXEC)
    errors, child_errors = os.pipe2(os.O_CLOEXEC)
    if exec_spec.open_stdin:
        child_input, stdin = os.pipe2(os.O_CLOEXEC)
    else:
        stdin, child_input = -1, os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    return [stdin, output, errors], [child_input, child_output, child_errors]


def _make_plan(host: Host, identity: Identity, container: Container, exec_spec: ExecSpec) -> dict[str, Any]:
    pid = container.state.pid
    network = 0 if container.spec.network == "host" else namespaces.CLONE_NEWNET
    return {
        "join": _JOINED | network,
        "inner": identity.mode == "single" and _has_inner_user_namespace(pid),
        "payload": plan_exec_payload(container.spec, exec_spec, host.exec_facts(container.spec)),
    }


def _has_inner_user_namespace(pid: int) -> bool:
    """True when init's user namespace is not the one that owns its mounts."""
    mount_namespace = namespaces.open_namespace(pid, "mnt")
    outer = namespaces.owning_user_namespace(mount_namespace)
    own = namespaces.open_namespace(pid, "user")
    try:
        return os.fstat(outer).st_ino != os.fstat(own).st_ino
    finally:
        for descriptor in (mount_namespace, outer, own):
            os.close(descriptor)


def _copy(source: int, target: int) -> bool:
    """One read and its write; False at the end of the stream."""
    try:
        data = os.read(source, _CHUNK)
    except BlockingIOError:
        return True
    except OSError:  # EIO: a terminal without users (pty(7))
        return False
    write_all(target, data)
    return bool(data)


def _copy_rest(source: int, target: int) -> None:
    """What the command wrote before it ended; not what its own children may write later."""
    os.set_blocking(source, False)
    while select.select([source], [], [], 0)[0] and _copy(source, target):
        pass
