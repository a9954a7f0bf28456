"""Two stream sockets joined into one connection, without a byte of memory of their own."""

import errno
import socket
import struct
from collections.abc import Callable

from labbox.engine.embedded.loop import READABLE, WRITABLE, Loop

COPY_SIZE = 256 * 1024
_NO_LINGER = struct.pack("=ii", 1, 0)


class _Flow:
    """One direction of a pair."""

    __slots__ = ("blocked", "ended", "sink", "source")

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.blocked = False  # the sink takes no more for now
        self.ended = False  # the source has sent its last byte, and the sink has been told


class StreamPair:
    """Two connected sockets, each byte of one sent to the other until both have ended; then both are closed.

    Bytes wait in the kernel: they are looked at (MSG_PEEK), sent, and only what was sent is taken away (MSG_TRUNC
    discards without copying, tcp(7)). So a pair holds no memory of ours, a slow reader slows its writer down, and
    one buffer serves all pairs of a process. When one side breaks off, so does the other.
    """

    def __init__(
        self,
        loop: Loop,
        first: socket.socket,
        second: socket.socket,
        buffer: memoryview,
        on_end: Callable[["StreamPair"], None],
    ) -> None:
        self._loop = loop
        self._buffer = buffer
        self._on_end = on_end
        self._forth = _Flow(first, second)
        self._back = _Flow(second, first)
        for side in (first, second):
            side.setblocking(False)
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            side.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._watch_sides()

    def break_off(self) -> None:
        """Reset both connections."""
        for side in (self._forth.source, self._back.source):
            self._loop.unwatch(side.fileno())
            reset(side)
        self._on_end(self)

    def _first_ready(self, _events: int) -> None:
        self._serve(outgoing=self._forth, incoming=self._back)

    def _second_ready(self, _events: int) -> None:
        self._serve(outgoing=self._back, incoming=self._forth)

    def _serve(self, *, outgoing: _Flow, incoming: _Flow) -> None:
        """Move what can be moved now that the socket between two flows is ready; spurious calls are harmless."""
        changed = False
        try:
            if incoming.blocked:
                changed = self._pump(incoming)
            if not outgoing.blocked and not outgoing.ended:
                changed = self._pump(outgoing) or changed
        except OSError:
            self.break_off()
            return
        if self._forth.ended and self._back.ended:
            self._close()
        elif changed:
            self._watch_sides()

    def _pump(self, flow: _Flow) -> bool:
        """Copy once from source to sink; True when what is to be waited for has changed."""
        was_blocked = flow.blocked
        try:
            available = flow.source.recv_into(self._buffer, COPY_SIZE, socket.MSG_PEEK)
        except BlockingIOError:
            flow.blocked = False
            return was_blocked
        if available == 0:
            flow.blocked = False
            flow.ended = True
            _end_sending(flow.sink)
            return True
        sent = _send_some(flow.sink, self._buffer[:available])
        if sent:
            flow.source.recv_into(self._buffer, sent, socket.MSG_TRUNC)
        flow.blocked = sent < available
        return flow.blocked != was_blocked

    def _watch_sides(self) -> None:
        self._watch_side(self._forth, self._back, self._first_ready)
        self._watch_side(self._back, self._forth, self._second_ready)

    def _watch_side(self, outgoing: _Flow, incoming: _Flow, callback: Callable[[int], None]) -> None:
        descriptor = outgoing.source.fileno()
        events = 0 if outgoing.blocked or outgoing.ended else READABLE
        if incoming.blocked:
            events |= WRITABLE
        if events:
            self._loop.watch(descriptor, events, callback)
        else:
            # A socket watched for nothing would still report a hang-up, again and again.
            self._loop.unwatch(descriptor)

    def _close(self) -> None:
        for side in (self._forth.source, self._back.source):
            self._loop.unwatch(side.fileno())
            side.close()
        self._on_end(self)


def reset(connection: socket.socket) -> None:
    """Close a connection so that its peer sees it break (RST), not end (SO_LINGER with zero seconds, socket(7))."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    finally:
        connection.close()


def _end_sending(sink: socket.socket) -> None:
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError as error:
        if error.errno != errno.ENOTCONN:
            raise


def _send_some(sink: socket.socket, data: memoryview) -> int:
    try:
        return sink.send(data, socket.MSG_NOSIGNAL)
    except BlockingIOError:
        return 0
