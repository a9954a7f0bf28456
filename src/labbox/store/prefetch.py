"""Chunks produced ahead in a thread: one core decompresses and hashes while another writes files."""

import io
import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

_CHUNKS_AHEAD = 4


class PrefetchedReader(io.RawIOBase):
    """Reads what `produce` gives, in order, until it gives an empty chunk; its exceptions are raised by the reader.

    A context manager: its end stops the thread, also when nobody reads on.
    """

    def __init__(self, produce: Callable[[], bytes]) -> None:
        super().__init__()
        self._produce = produce
        self._chunks: queue.Queue[bytes | BaseException] = queue.Queue(_CHUNKS_AHEAD)
        self._chunk = memoryview(b"")
        self._has_ended = False
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="decompress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._is_stopped = True
        while self._thread.is_alive():
            try:
                self._chunks.get(timeout=0.05)  # lets a thread go on that waits for room
            except queue.Empty:
                continue
        self._thread.join()

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a part of the buffer; 0 at the end."""
        if not self._chunk and not self._has_ended:
            item = self._chunks.get()
            if isinstance(item, BaseException):
                self._has_ended = True
                raise item
            self._chunk, self._has_ended = memoryview(item), not item
        count = min(len(buffer), len(self._chunk))
        buffer[:count] = self._chunk[:count]
        self._chunk = self._chunk[count:]
        return count

    def _run(self) -> None:
        chunk: bytes | BaseException = b" "
        while chunk and not isinstance(chunk, BaseException) and not self._is_stopped:
            try:
                chunk = self._produce()
            except BaseException as error:  # noqa: BLE001  (raised by the reader)
                chunk = error
            self._chunks.put(chunk)
