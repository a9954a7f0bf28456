"""A client of WebSockets (RFC 6455), as far as kernels and browsers are asked questions: text in, text out."""

import base64
import json
import os
import socket
import struct
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10
_FINAL, _MASKED = 0x80, 0x80


class WebSocket:
    """An open connection; a context manager."""

    def __init__(self, url: str, *, timeout_seconds: float = 60) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=timeout_seconds)
        self._stream = self._socket.makefile("rb")
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        lines = (
            f"GET {path} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            "Sec-WebSocket-Version: 13",
        )
        self._socket.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode())
        answer = self._stream.readline()
        assert b" 101 " in answer, answer + self._stream.read(2000)
        while self._stream.readline() not in (b"\r\n", b""):
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stream.close()
        self._socket.close()

    def send(self, document: Any) -> None:
        """Send a JSON document as one text."""
        self._send(_TEXT, json.dumps(document).encode())

    def receive(self) -> Any:
        """The next JSON document; TimeoutError when none comes."""
        message = b""
        while True:
            first, second = self._stream.read(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack(">H", self._stream.read(2))
            elif size == 127:
                (size,) = struct.unpack(">Q", self._stream.read(8))
            data = self._stream.read(size)
            kind = first & 0x0F
            if kind == _PING:
                self._send(_PONG, data)
            elif kind == _CLOSE:
                raise ConnectionError(f"closed: {data!r}")
            elif kind not in (_PONG, _BINARY):
                message += data
                if first & _FINAL:
                    return json.loads(message)

    def _send(self, kind: int, data: bytes) -> None:
        if len(data) < 126:
            head = struct.pack(">BB", _FINAL | kind, _MASKED | len(data))
        elif len(data) < 1 << 16:
            head = struct.pack(">BBH", _FINAL | kind, _MASKED | 126, len(data))
        else:
            head = struct.pack(">BBQ", _FINAL | kind, _MASKED | 127, len(data))
        self._socket.sendall(head + bytes(4) + data)  # a mask of zeros leaves the data as they are
