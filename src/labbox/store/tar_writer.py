"""Canonical tar streams: hashed while they are made, and written to a stream only when somebody wants the bytes."""

import hashlib
import os
from collections.abc import Callable
from typing import NamedTuple

from labbox.oci.canonical_tar import BLOCK_BYTES, END, TarEntry, encode_entry
from labbox.oci.digest import Digest

_PIECE_BYTES = 1 << 20

Write = Callable[[bytes | memoryview], object]


class PackedTree(NamedTuple):
    """The canonical tar of a tree: its digest, length, number of entries, and the time no entry is younger than."""

    diff_id: Digest
    size_bytes: int
    entry_count: int
    newest: int | None = None


class TarWriter:
    """Takes entries in canonical order and keeps the digest; `write` gets the bytes in large pieces."""

    def __init__(self, write: Write | None = None) -> None:
        self._write = write
        self._hash = hashlib.sha256()
        self._buffer = memoryview(bytearray(_PIECE_BYTES))
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._size_bytes = 0
        self._entry_count = 0

    def add(self, entry: TarEntry, content: int | None = None) -> None:
        """Add an entry; `content` is a descriptor at the start of the `size_bytes` bytes it holds.

        A file that changes its length meanwhile is cut or filled with zeros, so the archive stays whole.
        """
        self._entry_count += 1
        size_bytes = entry.size_bytes
        self._put(encode_entry(entry))
        if not size_bytes or content is None:
            return
        if size_bytes > _PIECE_BYTES:
            self._copy(content, size_bytes)
            return
        data = os.read(content, size_bytes)
        while len(data) < size_bytes and (more := os.read(content, size_bytes - len(data))):
            data += more
        self._put(data)
        if len(data) % BLOCK_BYTES or len(data) < size_bytes:
            self._put(bytes(size_bytes + -size_bytes % BLOCK_BYTES - len(data)))

    def finish(self, newest: int | None = None) -> PackedTree:
        """Close the archive, whose entries the caller made no younger than `newest`."""
        self._put(END)
        self._flush()
        digest = Digest("sha256", self._hash.hexdigest())
        return PackedTree(digest, self._size_bytes, self._entry_count, newest)

    def _copy(self, content: int, size_bytes: int) -> None:
        self._flush()
        left = size_bytes
        while left:
            count = os.readv(content, [self._buffer[: min(left, _PIECE_BYTES)]])
            if not count:
                break
            self._emit(self._buffer[:count])
            left -= count
        left += -size_bytes % BLOCK_BYTES
        while left:
            count = min(left, _PIECE_BYTES)
            self._put(bytes(count))
            left -= count

    def _put(self, data: bytes) -> None:
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= _PIECE_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._emit(b"".join(self._pending))
            self._pending.clear()
            self._pending_bytes = 0

    def _emit(self, data: bytes | memoryview) -> None:
        self._size_bytes += len(data)
        self._hash.update(data)
        if self._write is not None:
            self._write(data)
