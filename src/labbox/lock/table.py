"""A JSON object read key by key: every fault is noted with its place, so that all of a file can be told at once."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any


class Table:
    """A JSON object read key by key; what is missing or wrong is noted with its place and replaced by a blank."""

    def __init__(self, values: Mapping[str, Any], place: str, faults: list[str]) -> None:
        self.values = values
        self.faults = faults
        self.place = place

    def text(self, key: str, pattern: re.Pattern[str] | None = None) -> str:
        """The text under a key; it must match `pattern`."""
        value = self._required(key)
        if isinstance(value, str) and (pattern is None or pattern.fullmatch(value)):
            return value
        if value is not None:
            self.fault(key, f"cannot be {json.dumps(value)}")
        return ""

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        """One of the allowed texts."""
        value = self.text(key)
        if value and value not in allowed:
            self.fault(key, f"`{value}` is not one of {', '.join(allowed)}")
        return value

    def number(self, key: str) -> int:
        """A number that is not negative."""
        value = self._required(key)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        if value is not None:
            self.fault(key, f"cannot be {json.dumps(value)}")
        return 0

    def flag(self, key: str) -> bool:
        """True or false; false when the key is missing."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            self.fault(key, f"cannot be {json.dumps(value)}")
        return value is True

    def rows(self, key: str) -> list["Table"]:
        """The objects in the list under a key."""
        value = self._required(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            self.fault(key, "must be a list of objects")
            return []
        return [Table(row, f"{self.place}{key}[{position}].", self.faults) for position, row in enumerate(value)]

    def table(self, key: str) -> "Table":
        """The object under a key; an empty one when it is none."""
        value = self._required(key)
        if value is not None and not isinstance(value, dict):
            self.fault(key, "must be an object")
        return Table(value if isinstance(value, dict) else {}, f"{self.place}{key}.", self.faults)

    def note_repeated(self, key: str, names: Iterable[str]) -> None:
        """Note every name of a list that stands there more than once."""
        seen: set[str] = set()
        for position, name in enumerate(names):
            if name in seen:
                self.fault(f"{key}[{position}].name", f"`{name}` is there twice")
            seen.add(name)

    def fault(self, key: str, what: str) -> None:
        """Note that a key is wrong."""
        self.faults.append(f"{self.place}{key}: {what}")

    def _required(self, key: str) -> Any:
        value = self.values.get(key)
        if value is None:
            self.fault(key, "missing required value")
        return value
