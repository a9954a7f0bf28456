"""The progress of making a lab: one line per stage, a bar on a terminal."""

from labbox.cli.humanize import human_size
from labbox.cli.output import ProgressLine
from labbox.lightweight_typing import Mapping, Self

_WIDTH = 28


class Stages:
    """Shows stages as they are reported; a stage that comes back goes on under its title."""

    def __init__(self, titles: Mapping[str, str], *, in_bytes: tuple[str, ...] = (), quiet: bool = False) -> None:
        self._titles = titles
        self._in_bytes = in_bytes
        self._quiet = quiet
        self._stage = ""
        self._line: ProgressLine | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the line that is shown, so that other text can follow."""
        if self._line is not None:
            self._line.__exit__()
            self._line = None

    def report(self, stage: str, done: int, total: int) -> None:
        """Show how far a stage is."""
        if self._quiet:
            return
        if stage != self._stage or self._line is None:
            self.close()
            self._stage = stage
            show = human_size if stage in self._in_bytes else str
            self._line = ProgressLine(f"{self._titles.get(stage, stage):<{_WIDTH}}", show=show).__enter__()
        self._line.update(done, total)
