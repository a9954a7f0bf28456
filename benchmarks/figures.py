"""What a measurement gives: samples, beside a peer's, beside a budget."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

_LESS_IS_BETTER = {"ms", "s", "µs", "MB", "%", "x host"}


@dataclass(frozen=True, slots=True)
class Sample:
    """The repetitions of one quantity; warm-ups are not among them."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def least(self) -> float:
        return min(self.values)

    @property
    def most(self) -> float:
        return max(self.values)


def sample(values: Sequence[float]) -> Sample:
    return Sample(tuple(values))


@dataclass(frozen=True, slots=True)
class Budget:
    """The bounds that a median must keep, of DESIGN.md §6 and the issue that set it."""

    lowest: float | None = None
    highest: float | None = None

    def holds(self, value: float) -> bool:
        return (self.lowest is None or value >= self.lowest) and (self.highest is None or value <= self.highest)

    def describe(self, unit: str) -> str:
        if self.lowest is None:
            return f"≤ {self.highest:g} {unit}"
        if self.highest is None:
            return f"≥ {self.lowest:g} {unit}"
        return f"{self.lowest:g}-{self.highest:g} {unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table. A peer without a sample is missing, and `remark` says why."""

    what: str
    unit: str
    ours: Sample
    peer_name: str = ""
    peer: Sample | None = None
    budget: Budget | None = None
    remark: str = ""

    @property
    def advantage(self) -> float | None:
        """How many times better labbox is than the peer, by the medians: above 1 it is faster, or smaller."""
        if self.peer is None or not self.peer.median or not self.ours.median:
            return None
        ratio = self.peer.median / self.ours.median
        return ratio if self.unit in _LESS_IS_BETTER else 1 / ratio

    @property
    def is_within_budget(self) -> bool | None:
        return None if self.budget is None else self.budget.holds(self.ours.median)
