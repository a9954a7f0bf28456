"""What commands write: JSON documents, lines about progress, questions; plain where no terminal looks."""

import os
import sys

from labbox.lightweight_typing import Any, Callable, Self, TextIO

_BAR_WIDTH = 24
_USUAL_COLUMNS = 80


def print_json(document: Any, *, indent: int | None = 4) -> None:
    """A document for machines, in docker's layout: four spaces, no escapes for ordinary letters."""
    import json

    print(json.dumps(document, indent=indent, ensure_ascii=False))


def wants_color(stream: TextIO) -> bool:
    """True when the stream is a terminal whose user has not refused colours (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def note(text: str) -> None:
    """A line for people, apart from the results."""
    print(text, file=sys.stderr, flush=True)


def confirm(question: str) -> bool:
    """Docker's question before something is removed; no answer is no."""
    print(f"{question}\nAre you sure you want to continue? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


class ProgressLine:
    """Progress of one task: a bar that is redrawn on a terminal; elsewhere its title, once.

    Use it as a context manager, so that the line is ended whatever happens.
    """

    def __init__(self, title: str, *, show: Callable[[int], str] = str, stream: TextIO | None = None) -> None:
        self.title = title
        self.show = show
        self.stream = stream or sys.stderr
        self.is_terminal = self.stream.isatty()
        self.shown_tenths = -1

    def __enter__(self) -> Self:
        if not self.is_terminal:
            print(self.title.rstrip(), file=self.stream, flush=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_terminal and self.shown_tenths >= 0:
            print(file=self.stream, flush=True)

    def update(self, done: int, total: int) -> None:
        """Show how far the task is; cheap enough to call for every step."""
        tenths = done * 1000 // total if total else 1000
        if not self.is_terminal or tenths == self.shown_tenths:
            return
        self.shown_tenths = tenths
        columns = os.get_terminal_size(self.stream.fileno()).columns or _USUAL_COLUMNS
        counts = f"{self.show(done)}/{self.show(total)}"
        self.stream.write("\r\x1b[K" + draw_bar(self.title, done / total if total else 1.0, counts, columns))
        self.stream.flush()


def draw_bar(title: str, share: float, counts: str, columns: int) -> str:
    """One line of less than `columns` characters: the title, a bar filled by `share`, the counts."""
    filled = int(min(1.0, share) * _BAR_WIDTH)
    arrow = ">" if filled < _BAR_WIDTH else ""
    bar = f"{'=' * filled}{arrow}".ljust(_BAR_WIDTH)
    return f"{title} [{bar}] {counts}"[: columns - 1]
