"""What a container has written, kept beside it: records of time, stream and bytes, in two files that rotate.

Format (docs/formats.md, "Container log"): a record is 8 bytes of time (nanoseconds since 1970), 1 byte of stream
(1 stdout, 2 stderr), 4 bytes of length, all big endian, then the bytes as they were read. Nothing is encoded, so a
container that writes fast is not slowed down.
"""

import os
import struct
import time

from labbox.lightweight_typing import Iterator, NamedTuple

STDOUT = 1
STDERR = 2
LARGEST_FILE = 64 << 20
_HEADER = struct.Struct(">QBI")


class LogRecord(NamedTuple):
    """Some bytes that a container wrote at one time."""

    time_ns: int
    stream: int
    data: bytes


class LogWriter:
    """Appends to a container's log; starts a new file when the old one is full and keeps one old one."""

    def __init__(self, path: str, *, largest_file: int = LARGEST_FILE) -> None:
        self._path = path
        self._largest_file = largest_file
        self._descriptor = self._open()

    def write(self, stream: int, data: bytes) -> None:
        """Append one record; a full disk loses the record, never the container."""
        try:
            if os.fstat(self._descriptor).st_size + len(data) > self._largest_file:
                self._rotate()
            record = _HEADER.pack(time.time_ns(), stream, len(data)) + data
            written = os.write(self._descriptor, record)
            if written < len(record):
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
        except OSError:
            return

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _rotate(self) -> None:
        os.rename(self._path, f"{self._path}.1")
        try:
            fresh = self._open()
        except OSError:  # on a full disk: the old file goes on
            os.rename(f"{self._path}.1", self._path)
            raise
        os.close(self._descriptor)
        self._descriptor = fresh


class LogReader:
    """Reads a container's log from its beginning, and later what has been added since."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._offset = 0
        self._inode = 0

    def read_all(self) -> Iterator[LogRecord]:
        """Everything that is kept, oldest first."""
        yield from _read_file(f"{self._path}.1", 0)[0]
        yield from self.read_new()

    def read_new(self) -> list[LogRecord]:
        """What was added since the last call; follows a rotation without losing records."""
        records: list[LogRecord] = []
        try:
            inode = os.stat(self._path).st_ino
        except FileNotFoundError:
            return records
        if self._inode and inode != self._inode:
            records, _ = _read_file(f"{self._path}.1", self._offset)
            self._offset = 0
        self._inode = inode
        added, self._offset = _read_file(self._path, self._offset)
        return records + added


def _read_file(path: str, offset: int) -> tuple[list[LogRecord], int]:
    """Whole records from `offset` on, and the offset behind the last of them."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return [], 0
    records: list[LogRecord] = []
    position = 0
    while position + _HEADER.size <= len(data):
        time_ns, stream, length = _HEADER.unpack_from(data, position)
        end = position + _HEADER.size + length
        if end > len(data):
            break
        records.append(LogRecord(time_ns, stream, data[position + _HEADER.size : end]))
        position = end
    return records, offset + position
