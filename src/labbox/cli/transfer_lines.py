"""The progress of a pull or push as docker shows it: one line per layer on a terminal, changes of state elsewhere."""

import os
import sys
import threading
import time

from labbox.cli.humanize import human_size
from labbox.cli.output import draw_bar
from labbox.lightweight_typing import Self, TextIO

_MOVING = frozenset({"Downloading", "Pushing", "Extracting"})
_STEP_SECONDS = 0.1
_USUAL_COLUMNS = 80


class TransferLines:
    """Shows what is reported to it, from any thread; a context manager. Does nothing when `quiet`."""

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._quiet = quiet
        self._stream = stream or sys.stdout
        self._is_terminal = self._stream.isatty()
        self._lock = threading.Lock()
        self._states: dict[str, tuple[str, int, int]] = {}
        self._drawn = 0
        self._drawn_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._is_terminal and self._states:
                self._draw()
            self._states, self._drawn = {}, 0

    def report(self, item: str, state: str, done: int, total: int) -> None:
        """Take in the state of a layer."""
        if self._quiet:
            return
        with self._lock:
            before = self._states.get(item, ("", 0, 0))[0]
            self._states[item] = (state, done, total)
            if not self._is_terminal:
                if state != before and state not in _MOVING:
                    print(f"{item}: {state}", file=self._stream, flush=True)
            elif state != before or time.monotonic() - self._drawn_at >= _STEP_SECONDS:
                self._draw()

    def _draw(self) -> None:
        columns = os.get_terminal_size(self._stream.fileno()).columns or _USUAL_COLUMNS
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        lines = [_line(item, *state, columns) for item, state in self._states.items()]
        self._stream.write(up + "".join(f"\r\x1b[K{line}\n" for line in lines))
        self._stream.flush()
        self._drawn, self._drawn_at = len(lines), time.monotonic()


def _line(item: str, state: str, done: int, total: int, columns: int) -> str:
    if state not in _MOVING or not total:
        return f"{item}: {state}"[: columns - 1]
    return draw_bar(f"{item}: {state}", done / total, f"{human_size(done)}/{human_size(total)}", columns)
