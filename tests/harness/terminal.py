"""A program on a pseudo-terminal, as a person would use it."""

import fcntl
import os
import select
import struct
import subprocess
import termios
import time
from types import TracebackType
from typing import Any, Self

_CHUNK = 1 << 16


class Terminal:
    """A program whose standard streams are a terminal that the test types into and reads."""

    def __init__(self, command: list[str], *, rows: int = 24, columns: int = 80, **popen: Any) -> None:
        self._master, slave = os.openpty()
        self.output = b""
        self._seen = 0
        self.resize(rows, columns)
        self.attributes = termios.tcgetattr(slave)

        def take_terminal() -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            preexec_fn=take_terminal,  # noqa: PLW1509  (no threads here)
            **popen,
        )
        self._slave = slave  # kept open: the settings of the terminal can be looked at after the program's end

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)
        os.close(self._slave)

    def type(self, text: bytes) -> None:
        """Type some keys."""
        os.write(self._master, text)

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size; the kernel tells its foreground processes (SIGWINCH)."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def expect(self, text: bytes, *, timeout_seconds: float = 20) -> bytes:
        """Read until `text` appears after what was expected before; what came up to its end."""
        deadline = time.monotonic() + timeout_seconds
        while text not in self.output[self._seen :]:
            remaining = deadline - time.monotonic()
            assert remaining > 0, f"{text!r} did not appear in {self.output[self._seen :]!r}"
            self._read(remaining)
        start = self._seen
        self._seen = self.output.index(text, start) + len(text)
        return self.output[start : self._seen]

    def wait(self, *, timeout_seconds: float = 20) -> int:
        """Read until the program has ended; its exit code."""
        deadline = time.monotonic() + timeout_seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"still running; it has said {self.output!r}"
            self._read(0.05)
        while self._read(0):
            pass
        return int(self.process.returncode)

    def is_as_before(self) -> bool:
        """True when the terminal's settings are those it had at the beginning."""
        return termios.tcgetattr(self._slave) == self.attributes

    def _read(self, timeout_seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], timeout_seconds)
        if not ready:
            return False
        try:
            data = os.read(self._master, _CHUNK)
        except OSError:
            return False
        self.output += data
        return bool(data)
