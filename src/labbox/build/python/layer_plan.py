"""Which wheels share a layer: a pure function of their names and sizes. Layout 1.

A large wheel has a layer of its own, all others share sixteen by the hash of their names: a new version of a package
stays in its layer, and a package that is added or removed changes one.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labbox.lock.lab import LockedWheel

SMALLEST_THRESHOLD = 1 << 20
MOST_LAYERS = 60
_BUCKETS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLayer:
    """The wheels of one layer, by name."""

    wheels: tuple[LockedWheel, ...]

    @property
    def title(self) -> str:
        """What to call the layer to a person: its wheel, or how many there are."""
        if len(self.wheels) == 1:
            return f"{self.wheels[0].name} {self.wheels[0].version}"
        return f"{len(self.wheels)} packages"


def choose_threshold(wheels: Sequence[LockedWheel]) -> int:
    """The size above which a wheel gets a layer of its own: doubled until all fit into `MOST_LAYERS` layers."""
    threshold = SMALLEST_THRESHOLD
    while len(plan_layers(wheels, threshold)) > MOST_LAYERS:
        threshold *= 2
    return threshold


def plan_layers(wheels: Iterable[LockedWheel], threshold: int) -> list[PlannedLayer]:
    """The layers of an environment, lowest first: buckets of small wheels, then large wheels by name."""
    buckets: dict[int, list[LockedWheel]] = {}
    large: list[LockedWheel] = []
    for wheel in _by_name(wheels):
        if wheel.size > threshold:
            large.append(wheel)
        else:
            buckets.setdefault(bucket_of(wheel.name), []).append(wheel)
    return [
        *(PlannedLayer(wheels=tuple(buckets[number])) for number in sorted(buckets)),
        *(PlannedLayer(wheels=(wheel,)) for wheel in large),
    ]


def plan_one_layer(wheels: Iterable[LockedWheel]) -> list[PlannedLayer]:
    """All wheels in one layer, as the services are; no layer for no wheel."""
    ordered = tuple(_by_name(wheels))
    return [PlannedLayer(wheels=ordered)] if ordered else []


def bucket_of(name: str) -> int:
    """The bucket of a project by its normalised name."""
    return hashlib.sha256(name.encode()).digest()[0] % _BUCKETS


def _by_name(wheels: Iterable[LockedWheel]) -> list[LockedWheel]:
    return sorted(wheels, key=lambda wheel: (wheel.name, wheel.version, wheel.sha256))
