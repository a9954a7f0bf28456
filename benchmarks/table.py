"""Figures as text for people and as JSON for programs."""

import json
from collections.abc import Mapping, Sequence

from benchmarks.figures import Figure, Sample

_HEADINGS = ("what", "labbox", "peer", "better by", "budget", "within")


def render_table(figures: Sequence[Figure]) -> str:
    """The figures as a table of Markdown, medians with their ranges; remarks below."""
    rows = [_HEADINGS, *(_cells(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    remarks = dict.fromkeys(figure.remark for figure in figures if figure.remark)
    return "\n".join([*lines, "", *(f"- {remark}" for remark in remarks)]).rstrip()


def render_json(conditions: Mapping[str, str], figures: Sequence[Figure]) -> str:
    """Everything that was measured, each repetition included."""
    return json.dumps({"conditions": dict(conditions), "figures": [_document(f) for f in figures]}, indent=2)


def _cells(figure: Figure) -> tuple[str, ...]:
    advantage, within = figure.advantage, figure.is_within_budget
    return (
        figure.what,
        _range(figure.ours, figure.unit),
        f"{figure.peer_name} {_range(figure.peer, figure.unit) if figure.peer else 'missing'}"
        if figure.peer_name
        else "",
        "" if advantage is None else f"{advantage:.2f} x",
        figure.budget.describe(figure.unit) if figure.budget else "",
        "" if within is None else "yes" if within else "NO",
    )


def _range(sample: Sample, unit: str) -> str:
    if len(sample.values) == 1:
        return f"{_number(sample.median)} {unit}"
    return f"{_number(sample.median)} ({_number(sample.least)}-{_number(sample.most)}) {unit}"


def _number(value: float) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 3 if 0.9 < value < 1.1 else 2
    return f"{value:.{digits}f}"


def _document(figure: Figure) -> dict[str, object]:
    return {
        "what": figure.what,
        "unit": figure.unit,
        "labbox": list(figure.ours.values),
        "peer_name": figure.peer_name,
        "peer": list(figure.peer.values) if figure.peer else None,
        "better_by": figure.advantage,
        "budget": figure.budget.describe(figure.unit) if figure.budget else None,
        "within_budget": figure.is_within_budget,
        "remark": figure.remark,
    }
