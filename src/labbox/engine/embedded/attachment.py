"""The client's side of a monitor's socket: a terminal attached to a container, or a command that waits for its end."""

import os
import select
import struct
import termios

from labbox.engine.embedded import frames, messages
from labbox.engine.embedded.feed import Feed
from labbox.engine.embedded.folders import ContainerFolder
from labbox.errors import UsageError
from labbox.lightweight_modules import ExitStack, contextmanager, json, signal, socket
from labbox.lightweight_typing import Any, Callable, Iterator, NamedTuple, Self
from labbox.linux import terminals
from labbox.linux.raw_terminal import raw_mode

DEFAULT_DETACH_KEYS = b"\x10\x11"  # ctrl-p ctrl-q
_CHUNK = 1 << 16
# What `docker run --sig-proxy` does not pass on: the kernel's own business, job control, faults of this very process.
_NOT_PROXIED = {
    signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGWINCH, signal.SIGURG,
    signal.SIGTTIN, signal.SIGTTOU, signal.SIGTSTP, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE,
}  # fmt: skip


class Outcome(NamedTuple):
    """How an attachment ended: `exited` with a code, `failed` to start (code and message), `detached`, or `lost`."""

    kind: str
    code: int = 0
    message: str = ""


class Attachment:
    """A connection to a container's monitor."""

    def __init__(self, connection: socket.socket, folder: ContainerFolder) -> None:
        self._connection = connection
        self._folder = folder
        self._reader = frames.FrameReader()
        self._waiting: list[tuple[int, bytes]] = []
        self._feed: Feed | None = None  # while bytes are carried: a signal must not cut another frame in two

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def hello(self, *, attach: tuple[str, ...] = (), stdin: bool = False) -> None:
        """Say which streams are wanted and whether input will be fed."""
        self.send(frames.pack_document(frames.HELLO, {"attach": attach, "stdin": stdin}))

    def send(self, frame: bytes) -> None:
        """Send one frame; a monitor that has gone is noticed when reading."""
        if self._feed is not None:
            self._feed.append(frame)
            return
        try:
            self._connection.sendall(frame)
        except (BrokenPipeError, ConnectionResetError):
            return

    def send_descriptor(self, frame: bytes, descriptor: int) -> None:
        """Send one frame with a descriptor."""
        messages.send_with_descriptor(self._connection, frame, descriptor)

    def wait_started(self) -> Outcome | None:
        """Wait until the command runs (None), or until it is known that it does not.

        What the command has written before that is news is kept for `proxy`.
        """
        early: list[tuple[int, bytes]] = []
        for kind, payload in self._frames():
            if kind == frames.STARTED:
                self._waiting = [*early, *self._waiting]
                return None
            early.append((kind, payload))
            outcome = _outcome_of(kind, payload)
            if outcome is not None:
                self._waiting = [*early, *self._waiting]
                return outcome if outcome.kind == "failed" else None
        return Outcome("lost")

    def wait(self) -> Outcome:
        """Wait for the container's end without looking at its output."""
        for kind, payload in self._frames():
            outcome = _outcome_of(kind, payload)
            if outcome is not None:
                return outcome
        return Outcome("lost")

    def proxy(
        self, *, stdin: int | None, stdout: int, stderr: int, terminal: bool, detach_keys: bytes, proxy_signals: bool
    ) -> Outcome:
        """Carry bytes between these descriptors and the container until it ends or the keys are pressed."""
        poller = select.poll()
        self._feed = Feed(poller, stdin, os.dup(self._connection.fileno()))
        with ExitStack() as stack:
            if terminal and stdin is not None and os.isatty(stdin):
                stack.enter_context(raw_mode(stdin))
            if terminal and os.isatty(stdout):
                stack.enter_context(on_resize(stdout, lambda rows, columns: self.send(_resize(rows, columns))))
            if proxy_signals:
                stack.enter_context(_signals_to(self._pass_signal_on))
            keys = DetachKeys(detach_keys) if terminal and stdin is not None and os.isatty(stdin) else None
            return self._carry(poller, self._feed, {frames.STDOUT: stdout, frames.STDERR: stderr}, keys)

    def _carry(self, poller: select.poll, feed: Feed, outputs: dict[int, int], keys: "DetachKeys | None") -> Outcome:
        poller.register(self._connection, select.POLLIN)
        with woken_by_signals(poller) as wakeup:
            while True:
                outcome = self._write_out(outputs)
                if outcome is not None:
                    return outcome
                feed.settle()
                for descriptor, _ in poller.poll():
                    if descriptor == wakeup:
                        os.read(wakeup, _CHUNK)
                    elif descriptor == feed.source:
                        self._send_input(feed, keys)
                        if keys is not None and keys.pressed:
                            feed.settle()
                            return Outcome("detached")
                    elif descriptor == self._connection.fileno() and not self._receive():
                        return self._write_out(outputs) or Outcome("lost")

    def _pass_signal_on(self, number: int) -> None:
        """By a connection of its own: this one may be full of input that the container does not take."""
        connection = connect(self._folder)
        if connection is not None:
            with connection:
                connection.send(frames.pack_document(frames.SIGNAL, number))

    def _send_input(self, feed: Feed, keys: "DetachKeys | None") -> None:
        data = feed.read()
        if not data:
            feed.append(frames.pack(frames.STDIN_END))
            return
        if keys is not None:
            data = keys.filter(data)
        if data:
            feed.append(frames.pack(frames.STDIN, data))

    def _write_out(self, outputs: dict[int, int]) -> Outcome | None:
        waiting, self._waiting = self._waiting, []
        for kind, payload in waiting:
            if kind in outputs:
                write_all(outputs[kind], payload)
            else:
                outcome = _outcome_of(kind, payload)
                if outcome is not None:
                    return outcome
        return None

    def _receive(self) -> bool:
        try:
            data = self._connection.recv(_CHUNK)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        self._waiting.extend(self._reader.feed(data))
        return bool(data)

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        while self._receive():
            waiting, self._waiting = self._waiting, []
            for position, frame in enumerate(waiting):
                self._waiting = waiting[position + 1 :]
                yield frame


class DetachKeys:
    """Watches typed bytes for the detach sequence; its beginning is held back until it is clear what follows."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._matched = 0
        self.pressed = False

    def filter(self, data: bytes) -> bytes:
        """The bytes to pass on."""
        if not self._keys:
            return data
        passed = bytearray()
        for byte in data:
            if byte == self._keys[self._matched]:
                self._matched += 1
                if self._matched == len(self._keys):
                    self.pressed = True
                    return bytes(passed)
                continue
            passed += self._keys[: self._matched]
            self._matched = 1 if byte == self._keys[0] else 0
            if not self._matched:
                passed.append(byte)
        return bytes(passed)


def parse_detach_keys(text: str) -> bytes:
    """Docker's notation: comma-separated letters or `ctrl-X`; raises UsageError naming the part not understood."""
    keys = bytearray()
    for part in text.split(","):
        letter = part.removeprefix("ctrl-")
        if len(letter) != 1 or not letter.isascii():
            raise UsageError(f'invalid detach keys ({text}): unknown character: "{part}"')
        keys.append(ord(letter.lower()) & 0x1F if part.startswith("ctrl-") else ord(letter))
    return bytes(keys)


def connect(folder: ContainerFolder) -> Attachment | None:
    """A connection to the container's monitor, or None when there is none.

    A socket's address holds 107 bytes only (unix(7)), so the folder is named by a descriptor.
    """
    descriptor = os.open(folder.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(f"/proc/self/fd/{descriptor}/{os.path.basename(folder.socket)}")
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    finally:
        os.close(descriptor)
    return Attachment(connection, folder)


def listen(folder: ContainerFolder) -> socket.socket:
    """The monitor's socket; one left by a dead monitor is replaced."""
    descriptor = os.open(folder.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        address = f"/proc/self/fd/{descriptor}/{os.path.basename(folder.socket)}"
        if os.path.lexists(address):
            os.unlink(address)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(address)
        listener.listen(64)
        listener.setblocking(False)
    finally:
        os.close(descriptor)
    return listener


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything to a descriptor that may be non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            select.select([], [descriptor], [])


@contextmanager
def woken_by_signals(poller: select.poll) -> Iterator[int]:
    """A descriptor, watched by `poller`, that becomes readable with every signal that has a handler.

    Without it a signal that arrives just before poll(2) is handled only when something else ends the waiting.
    """
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    former = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    poller.register(reader, select.POLLIN)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(former)
        poller.unregister(reader)
        os.close(reader)
        os.close(writer)


@contextmanager
def on_resize(descriptor: int, callback: Callable[[int, int], None]) -> Iterator[None]:
    """Call back with rows and columns now and whenever the terminal changes its size."""

    def report(*_: object) -> None:
        try:
            callback(*terminals.get_size(descriptor))
        except (OSError, termios.error):
            return

    former = signal.signal(signal.SIGWINCH, report)
    report()
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, former)


@contextmanager
def _signals_to(callback: Callable[[int], None]) -> Iterator[None]:
    """Pass every signal that this process receives to `callback` instead."""
    former: dict[int, Any] = {}
    for number in signal.valid_signals() - _NOT_PROXIED - set(range(signal.SIGRTMIN, signal.NSIG)):
        former[number] = signal.signal(number, lambda received, _frame: callback(received))
    try:
        yield
    finally:
        for proxied, handler in former.items():
            signal.signal(proxied, handler)


def _resize(rows: int, columns: int) -> bytes:
    return frames.pack(frames.RESIZE, struct.pack(">HH", rows, columns))


def _outcome_of(kind: int, payload: bytes) -> Outcome | None:
    if kind == frames.EXITED:
        return Outcome("exited", int(json.loads(payload)["code"]))
    if kind == frames.FAILED:
        document = json.loads(payload)
        return Outcome("failed", int(document["code"]), str(document["message"]))
    return None
