"""Who is connected to a monitor: attached terminals, waiting commands, those who ask it to stop."""

import errno
import json
import os
import resource
import socket
import struct
from collections.abc import Callable

from labbox.engine.embedded import frames
from labbox.engine.embedded.logs import STDERR, STDOUT
from labbox.engine.embedded.loop import READABLE, WRITABLE, Loop
from labbox.lightweight_typing import Protocol

_OUTPUT_LIMIT = 1 << 20
_STREAM_NAMES = {STDOUT: "stdout", STDERR: "stderr"}
_STREAM_FRAMES = {STDOUT: frames.STDOUT, STDERR: frames.STDERR}


class Served(Protocol):
    """What clients may ask of a monitor."""

    def write_input(self, data: bytes) -> bool:
        """Take input; False asks the sender to wait."""

    def end_input(self) -> None:
        """No more input."""

    def resize(self, rows: int, columns: int) -> None:
        """The client's terminal has this size."""

    def send_signal(self, number: int) -> None:
        """Signal the command."""

    def stop(self, number: int, timeout_seconds: float) -> None:
        """End the container."""

    def serve_ownership(self, listener: int) -> None:
        """Answer a seccomp listener's notifications."""

    def resume_output(self) -> None:
        """A slow client has caught up."""


class _Client:
    """One connection: what it wants, and what could not be sent to it yet."""

    __slots__ = ("connection", "descriptors", "feeds_input", "is_read", "pending", "reader", "streams")

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.reader = frames.FrameReader()
        self.pending = bytearray()
        self.descriptors: list[int] = []
        self.streams: frozenset[str] = frozenset()
        self.feeds_input = False
        self.is_read = True  # False while the container takes no more input


class Clients:
    """Accepts connections on the container's socket and speaks `frames` with them; never blocks on any of them."""

    def __init__(self, loop: Loop, listener: socket.socket, served: Served) -> None:
        self._loop = loop
        self._listener = listener
        self._served = served
        self._clients: dict[int, _Client] = {}
        self._on_finished: Callable[[], None] | None = None
        loop.watch(listener.fileno(), READABLE, self._accept)

    def add(self, connection: socket.socket) -> None:
        """Serve a connection."""
        connection.setblocking(False)
        client = _Client(connection)
        self._clients[connection.fileno()] = client
        self._watch(client)

    def send_output(self, stream: int, data: bytes) -> bool:
        """Send to all who want the stream; False when one of them is too far behind."""
        name, kind = _STREAM_NAMES[stream], _STREAM_FRAMES[stream]
        for client in list(self._clients.values()):
            if name in client.streams:
                self._send(client, frames.pack(kind, data))
        return all(len(client.pending) < _OUTPUT_LIMIT for client in self._clients.values())

    def broadcast(self, frame: bytes) -> None:
        """Send a frame to everyone."""
        for client in list(self._clients.values()):
            self._send(client, frame)

    def resume_input(self) -> None:
        """The container takes input again."""
        for client in list(self._clients.values()):
            client.is_read = True
            self._watch(client)

    def finish(self, on_finished: Callable[[], None]) -> None:
        """Accept nobody any more, and call back once everyone has been told everything or has gone away."""
        self._on_finished = on_finished
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()
        for client in list(self._clients.values()):
            if not client.pending:
                self._drop(client)
        self._check_finished()

    def _accept(self, _events: int) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            if error.errno == errno.EMFILE:
                self._accept_from_reserve()
            return
        self.add(connection)

    def _accept_from_reserve(self) -> None:
        """Accept although the container's connections have taken every descriptor: else nobody could stop it."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.add(connection)

    def _watch(self, client: _Client) -> None:
        events = (READABLE if client.is_read else 0) | (WRITABLE if client.pending else 0)
        self._loop.watch(client.connection.fileno(), events, lambda ready: self._ready(client, ready))

    def _ready(self, client: _Client, events: int) -> None:
        if events & WRITABLE:
            self._flush(client)
        if events & ~WRITABLE and client.connection.fileno() in self._clients:
            self._receive(client)

    def _receive(self, client: _Client) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(client.connection, 1 << 16, 1)
            client.descriptors.extend(descriptors)
            if not data:
                self._drop(client)
                return
            for kind, payload in client.reader.feed(data):
                self._handle(client, kind, payload)
        except BlockingIOError:
            return
        except (OSError, ValueError, struct.error, LookupError, TypeError):
            self._drop(client)

    def _handle(self, client: _Client, kind: int, payload: bytes) -> None:
        match kind:
            case frames.HELLO:
                hello = json.loads(payload)
                client.streams = frozenset(hello.get("attach", ()))
                client.feeds_input = bool(hello.get("stdin"))
            case frames.STDIN:
                if not self._served.write_input(payload):
                    client.is_read = False
                    self._watch(client)
            case frames.STDIN_END:
                client.feeds_input = False
                self._served.end_input()
            case frames.RESIZE:
                self._served.resize(*struct.unpack(">HH", payload))
            case frames.SIGNAL:
                self._served.send_signal(int(json.loads(payload)))
            case frames.STOP:
                request = json.loads(payload)
                self._served.stop(int(request["signal"]), float(request["timeout"]))
            case frames.OWNERSHIP:
                self._served.serve_ownership(client.descriptors.pop(0))
            case _:
                raise ValueError(f"frame of unknown kind {kind}")

    def _send(self, client: _Client, frame: bytes) -> None:
        client.pending += frame
        self._flush(client)

    def _flush(self, client: _Client) -> None:
        was_behind = len(client.pending) >= _OUTPUT_LIMIT
        try:
            while client.pending:
                sent = client.connection.send(client.pending)
                del client.pending[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)
            return
        self._watch(client)
        if was_behind and len(client.pending) < _OUTPUT_LIMIT:
            self._served.resume_output()
        if self._on_finished is not None and not client.pending:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        number = client.connection.fileno()
        if self._clients.pop(number, None) is None:
            return
        self._loop.unwatch(number)
        client.connection.close()
        for descriptor in client.descriptors:
            os.close(descriptor)
        if client.feeds_input:
            self._served.end_input()
        if len(client.pending) >= _OUTPUT_LIMIT:
            self._served.resume_output()
        self._check_finished()

    def _check_finished(self) -> None:
        if self._on_finished is not None and not self._clients:
            callback, self._on_finished = self._on_finished, None
            callback()
