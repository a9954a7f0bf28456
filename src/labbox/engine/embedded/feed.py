"""Input on its way to a reader that may be slow: never waited for, and read from its source only as it is taken.

Whoever waits in write(2) reads no output meanwhile. A program that waits until its output is read takes no input
either, and the two would wait for each other for ever.
"""

import os
import select

from labbox.lightweight_modules import suppress

_CHUNK = 1 << 16


class Feed:
    """Carries bytes to a descriptor, which it owns, as its reader takes them; `source` is None once there is no input.

    For a loop on `poller`: `settle` before every wait, `read` when the source is ready.
    """

    def __init__(self, poller: select.poll, source: int | None, sink: int) -> None:
        self._poller = poller
        self.source = source
        self._sink = sink
        self._pending = bytearray()
        self._finished = False
        if sink >= 0:
            os.set_blocking(sink, False)

    def read(self) -> bytes:
        """One read of the source; nothing at its end."""
        assert self.source is not None
        try:
            data = os.read(self.source, _CHUNK)
        except OSError:
            data = b""
        if not data:
            self._watch(self.source, 0)
            self.source = None
        return data

    def append(self, data: bytes) -> None:
        """Queue bytes; from a signal handler too."""
        self._pending += data

    def finish(self) -> None:
        """No more will come: the reader sees the end once it has taken everything."""
        self._finished = True

    def settle(self) -> None:
        """Write what is taken now; then wait for room as long as something is left, else for more from the source."""
        if self._sink < 0:
            return
        try:
            while self._pending:
                del self._pending[: os.write(self._sink, bytes(self._pending[:_CHUNK]))]
        except BlockingIOError:
            pass
        except OSError:  # nobody reads any more
            self._pending.clear()
            self._drop_source()
        self._watch(self._sink, select.POLLOUT if self._pending else 0)
        if self.source is not None:
            self._watch(self.source, 0 if self._pending else select.POLLIN)
        if self._finished and not self._pending:
            self.close()

    def close(self) -> None:
        """Close the sink, whatever is left."""
        self._drop_source()
        if self._sink >= 0:
            self._watch(self._sink, 0)
            os.close(self._sink)
            self._sink = -1

    def _drop_source(self) -> None:
        if self.source is not None:
            self._watch(self.source, 0)
            self.source = None

    def _watch(self, descriptor: int, events: int) -> None:
        if events:
            self._poller.register(descriptor, events)
            return
        with suppress(KeyError):
            self._poller.unregister(descriptor)
