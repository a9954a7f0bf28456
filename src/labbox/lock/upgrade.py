"""Which versions of a lock may change."""

from collections.abc import Iterable
from dataclasses import dataclass

from labbox.lock.lab import LockedWheel


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """Which locked versions are not kept: those of `names`, or all of them."""

    everything: bool = False
    names: frozenset[str] = frozenset()

    def preferred(self, kept: Iterable[LockedWheel]) -> dict[str, str]:
        """The versions that a new resolution keeps where it can."""
        if self.everything:
            return {}
        return {wheel.name: wheel.version for wheel in kept if wheel.name not in self.names}
