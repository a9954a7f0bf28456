"""What the monitor and its clients say to each other on the container's socket.

A frame is one byte of kind, four bytes of length (big endian) and the payload. Byte streams travel as they are,
everything else as JSON. A client opens with HELLO, a JSON object: `attach` (names of streams wanted), `stdin` (true to
feed it), `detach_stops_input`. The monitor answers with output frames and ends with one EXITED or FAILED.
"""

import struct

from labbox.lightweight_modules import json
from labbox.lightweight_typing import Any, Iterator

HELLO = 0
STDIN = 1
STDOUT = 2
STDERR = 3
STDIN_END = 4
RESIZE = 5
SIGNAL = 6
STOP = 7
STARTED = 8
EXITED = 9
FAILED = 10
OWNERSHIP = 11  # with a seccomp listener as ancillary data: serve its notifications

_HEADER = struct.Struct(">BI")
LARGEST_PAYLOAD = 1 << 20


def pack(kind: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return _HEADER.pack(kind, len(payload)) + payload


def pack_document(kind: int, document: Any) -> bytes:
    """One frame with a JSON payload."""
    return pack(kind, json.dumps(document).encode())


class FrameReader:
    """Cuts a byte stream into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames completed by `data`; ValueError for a frame larger than any the protocol has."""
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._buffer)
            if length > LARGEST_PAYLOAD:
                raise ValueError(f"frame of {length} bytes")
            end = _HEADER.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[_HEADER.size : end])
            del self._buffer[:end]
            yield kind, payload
