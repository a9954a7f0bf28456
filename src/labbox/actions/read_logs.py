"""`labbox logs`: what a container has written, as lines with their times."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from labbox.engine.embedded.logs import LogReader, LogRecord
from labbox.engine.embedded.timestamps import format_nanoseconds

_POLL_SECONDS = 0.05


class LogLine(NamedTuple):
    """One line, or the part of a line that is there so far; `stream` is 1 for stdout and 2 for stderr."""

    time_ns: int
    stream: int
    data: bytes

    @property
    def time(self) -> str:
        """When its first byte was written."""
        return format_nanoseconds(self.time_ns)


class LineAssembler:
    """Makes lines of records, which begin and end anywhere; each stream by itself."""

    def __init__(self) -> None:
        # The time of the first byte, and the pieces: joined once, for a line may have any length.
        self._partial: dict[int, tuple[int, list[bytes]]] = {}

    def feed(self, records: list[LogRecord]) -> Iterator[LogLine]:
        """The lines that these records end, in the order of their ends."""
        for record in records:
            for piece in _lines(record.data):
                time_ns, pieces = self._partial.setdefault(record.stream, (record.time_ns, []))
                pieces.append(piece)
                if piece.endswith(b"\n"):
                    del self._partial[record.stream]
                    yield LogLine(time_ns, record.stream, b"".join(pieces))

    def rest(self) -> list[LogLine]:
        """What was written since the last line end."""
        return sorted(LogLine(time_ns, stream, b"".join(pieces)) for stream, (time_ns, pieces) in self._partial.items())


def read_lines(
    reader: LogReader, *, since_ns: int = 0, until_ns: int | None = None, tail: int | None = None
) -> list[LogLine]:
    """The lines of a log between two times, the last `tail` of them."""
    assembler = LineAssembler()
    lines = [*assembler.feed(list(reader.read_all())), *assembler.rest()]
    lines = [line for line in lines if line.time_ns >= since_ns and (until_ns is None or line.time_ns <= until_ns)]
    return lines if tail is None else lines[len(lines) - min(tail, len(lines)) :]


def follow_records(reader: LogReader, is_running: Callable[[], bool]) -> Iterator[LogRecord]:
    """Records as they are written, until the container has ended and its log is read."""
    while True:
        running = is_running()
        yield from reader.read_new()
        if not running:
            yield from reader.read_new()
            return
        time.sleep(_POLL_SECONDS)


def _lines(data: bytes) -> list[bytes]:
    """Split behind newlines only: a carriage return moves the cursor and ends no line."""
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
