"""Columns as docker prints them: Go's text/tabwriter with a minimum width of 10 and 3 spaces between."""

from labbox.lightweight_typing import Sequence

_MINIMUM_WIDTH = 10
_PADDING = 3


def align(text: str, *, minimum_width: int = _MINIMUM_WIDTH, padding: int = _PADDING) -> str:
    """Lines with tab-separated cells as columns; the last cell of a line is left as it is."""
    rows = [line.split("\t") for line in text.split("\n")]
    lines: list[str] = []
    start = 0
    while start < len(rows):
        end = _end_of_block(rows, start)
        lines += _align_block(rows[start:end], minimum_width, padding)
        start = end
    return "\n".join(lines)


def render_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with its header line."""
    return align("\n".join("\t".join(row) for row in (header, *rows)))


def _end_of_block(rows: list[list[str]], start: int) -> int:
    """Go aligns neighbouring lines only: a line without cells ends the block."""
    end = start + 1
    while end < len(rows) and (len(rows[end]) > 1) == (len(rows[start]) > 1):
        end += 1
    return end


def _align_block(rows: list[list[str]], minimum_width: int, padding: int) -> list[str]:
    columns = max(map(len, rows)) - 1
    widths = [
        max(minimum_width, *(len(row[column]) + padding for row in rows if len(row) > column + 1))
        for column in range(columns)
    ]
    return [
        "".join(f"{cell:<{width}}" for cell, width in zip(row[:-1], widths, strict=False)) + row[-1] for row in rows
    ]
