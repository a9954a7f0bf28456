"""Connections on an event loop: accepting them, dialling for them, and joining the two ends."""

import errno
import socket
from collections.abc import Callable

from labbox.engine.embedded.loop import READABLE, WRITABLE, Loop, Timer
from labbox.engine.embedded.streams import COPY_SIZE, StreamPair, reset
from labbox.lightweight_typing import Any, NamedTuple

_ACCEPTS_PER_TURN = 64
_SECONDS_UNTIL_RETRY = 0.1
_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Target(NamedTuple):
    """Where to connect: an address family, and an address as the socket module writes it."""

    family: int
    address: tuple[Any, ...]


class Dial:
    """An attempt to connect to the first of several targets that accepts.

    When the process is out of descriptors it waits until others have ended.
    After `start` it calls `on_connected(socket)` or, when all have refused, `on_failed()`: once, perhaps at once.
    """

    def __init__(
        self,
        loop: Loop,
        targets: list[Target],
        on_connected: Callable[[socket.socket], None],
        on_failed: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._remaining = list(targets)
        self._on_connected = on_connected
        self._on_failed = on_failed
        self._socket: socket.socket | None = None
        self._retry: Timer | None = None

    def start(self) -> None:
        """Begin with the first target."""
        self._try_next()

    def cancel(self) -> None:
        """Give up without calling back; harmless when it is over."""
        self._remaining.clear()
        if self._retry is not None:
            self._retry.cancel()
        self._drop_socket()

    def _try_next(self) -> None:
        while self._remaining:
            target = self._remaining.pop(0)
            try:
                if self._start(target):
                    return
            except OSError as error:
                self._drop_socket()
                if error.errno in _OUT_OF_RESOURCES:
                    self._remaining.insert(0, target)
                    self._retry = self._loop.call_later(_SECONDS_UNTIL_RETRY, self._try_next)
                    return
        self._on_failed()

    def _start(self, target: Target) -> bool:
        self._socket = socket.socket(target.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        if self._socket.connect_ex(target.address) not in (0, errno.EINPROGRESS):
            self._drop_socket()
            return False
        self._loop.watch(self._socket.fileno(), WRITABLE, self._finish)
        return True

    def _finish(self, _events: int) -> None:
        assert self._socket is not None
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._drop_socket()
            self._try_next()
            return
        connected, self._socket = self._socket, None
        self._loop.unwatch(connected.fileno())
        self._on_connected(connected)

    def _drop_socket(self) -> None:
        if self._socket is not None:
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()
            self._socket = None


class Acceptor:
    """Hands every connection that arrives at a listening socket to `on_client(connection, its address)`.

    When the process is out of descriptors, new connections wait in the kernel's queue until others have ended.
    """

    def __init__(self, loop: Loop, listener: socket.socket, on_client: Callable[[socket.socket, Any], None]) -> None:
        self._loop = loop
        self._listener = listener
        self._on_client = on_client
        self._retry: Timer | None = None
        listener.setblocking(False)
        self._resume()

    def close(self) -> None:
        """Stop listening."""
        if self._retry is not None:
            self._retry.cancel()
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()

    def _resume(self) -> None:
        self._loop.watch(self._listener.fileno(), READABLE, self._accept)

    def _pause(self) -> None:
        self._loop.unwatch(self._listener.fileno())
        self._retry = self._loop.call_later(_SECONDS_UNTIL_RETRY, self._resume)

    def _accept(self, _events: int) -> None:
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                client, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _OUT_OF_RESOURCES:
                    self._pause()
                    return
                continue  # that connection has gone again: accept(2) says to try the next
            self._on_client(client, address)


class Switchboard:
    """Joins clients to targets and keeps the connections alive until they end; one copy buffer serves them all."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._buffer = memoryview(bytearray(COPY_SIZE))
        self._pairs: set[StreamPair] = set()
        self._dials: dict[Dial, socket.socket] = {}

    def connect(self, client: socket.socket, targets: list[Target]) -> None:
        """Join the client to the first target that accepts; when none does, the client's connection is reset."""

        def on_connected(target: socket.socket) -> None:
            del self._dials[dial]
            self._join(client, target)

        def on_failed() -> None:
            del self._dials[dial]
            reset(client)

        dial = Dial(self._loop, targets, on_connected, on_failed)
        self._dials[dial] = client
        dial.start()

    def close(self) -> None:
        """Break off every connection, made or being made."""
        for dial, client in self._dials.items():
            dial.cancel()
            reset(client)
        self._dials.clear()
        for pair in list(self._pairs):
            pair.break_off()

    def _join(self, client: socket.socket, target: socket.socket) -> None:
        try:
            self._pairs.add(StreamPair(self._loop, client, target, self._buffer, self._pairs.discard))
        except OSError:  # one of them has broken off in the meantime
            reset(client)
            reset(target)
