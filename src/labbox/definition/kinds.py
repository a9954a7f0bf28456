"""What a key's value may be: each kind reads values and describes itself as JSON Schema.

Parser and schema come from the same kinds, so they cannot differ.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from labbox.definition.faults import Faults, join

Schema = dict[str, Any]


class Kind(Protocol):
    """One kind of value; `expected` completes the sentence "expected …"."""

    @property
    def expected(self) -> str:
        """What a value must be, with an example."""
        ...

    def fits(self, value: object) -> bool:
        """Tell whether the value has this kind's TOML type."""
        ...

    def read(self, value: object, path: str, faults: Faults) -> Any:
        """The value in labbox's form; None and a noted fault when it is wrong."""
        ...

    def schema(self) -> Schema:
        """The kind in JSON Schema."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A string that `parse` turns into a value; it raises ValueError, with a reason or without one."""

    expected: str
    parse: Callable[[str], object]
    pattern: str = ""
    choices: tuple[str, ...] = ()

    def fits(self, value: object) -> bool:
        """True for strings."""
        return isinstance(value, str)

    def read(self, value: object, path: str, faults: Faults) -> Any:
        """What `parse` makes of the string."""
        if isinstance(value, str):
            try:
                return self.parse(value)
            except ValueError as error:
                faults.expected(path, self.expected, value, str(error))
                return None
        faults.expected(path, self.expected, value, _quotes_advice(value))
        return None

    def schema(self) -> Schema:
        """A string, with its pattern or its choices."""
        schema: Schema = {"type": "string"}
        if self.choices:
            schema["enum"] = list(self.choices)
        if self.pattern:
            schema["pattern"] = self.pattern
        return schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number from `minimum` to `maximum`; `parse` gives it another form."""

    expected: str
    minimum: float
    maximum: float | None = None
    whole: bool = False
    parse: Callable[[Any], object] = lambda number: number

    def fits(self, value: object) -> bool:
        """True for numbers; TOML's booleans are none."""
        return isinstance(value, int if self.whole else int | float) and not isinstance(value, bool)

    def read(self, value: object, path: str, faults: Faults) -> Any:
        """The number."""
        if self.fits(value) and isinstance(value, int | float):
            largest = float("inf") if self.maximum is None else self.maximum
            if self.minimum <= value <= largest and value != float("inf"):
                return self.parse(value)
        faults.expected(path, self.expected, value)
        return None

    def schema(self) -> Schema:
        """An integer or a number with its bounds."""
        schema: Schema = {"type": "integer" if self.whole else "number", "minimum": self.minimum}
        if self.maximum is not None:
            schema["maximum"] = self.maximum
        return schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """true or false; `parse` gives it another form."""

    expected: str = "true or false"
    parse: Callable[[bool], object] = lambda is_on: is_on

    def fits(self, value: object) -> bool:
        """True for booleans."""
        return isinstance(value, bool)

    def read(self, value: object, path: str, faults: Faults) -> Any:
        """The boolean."""
        if isinstance(value, bool):
            return self.parse(value)
        faults.expected(path, self.expected, value)
        return None

    def schema(self) -> Schema:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """A list of one kind; reads as a tuple."""

    expected: str
    item: Kind
    minimum: int = 0

    def fits(self, value: object) -> bool:
        """True for lists."""
        return isinstance(value, list)

    def read(self, value: object, path: str, faults: Faults) -> Any:
        """The items, None for a wrong one; its fault has its position in its path."""
        if not isinstance(value, list) or len(value) < self.minimum:
            faults.expected(path, self.expected, value)
            return None
        return tuple(self.item.read(item, f"{path}[{position}]", faults) for position, item in enumerate(value))

    def schema(self) -> Schema:
        """An array."""
        schema: Schema = {"type": "array", "items": self.item.schema()}
        return {**schema, "minItems": self.minimum} if self.minimum else schema


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOf:
    """A table with names of the writer's own; reads as a tuple of pairs in the order written."""

    expected: str
    name: Text
    item: Kind

    def fits(self, value: object) -> bool:
        """True for tables."""
        return isinstance(value, dict)

    def read(self, value: object, path: str, faults: Faults) -> Any:
        """The pairs."""
        if not isinstance(value, dict):
            faults.expected(path, self.expected, value)
            return None
        pairs = []
        for name, item in value.items():
            here = join(path, name)
            pairs.append((self.name.read(name, here, faults), self.item.read(item, here, faults)))
        return tuple(pairs)

    def schema(self) -> Schema:
        """An object with free names."""
        schema: Schema = {"type": "object", "additionalProperties": self.item.schema()}
        return {**schema, "propertyNames": {"pattern": self.name.pattern}} if self.name.pattern else schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Either:
    """One of several kinds, told apart by their TOML types."""

    expected: str
    kinds: tuple[Kind, ...]

    def fits(self, value: object) -> bool:
        """True when one of them fits."""
        return any(kind.fits(value) for kind in self.kinds)

    def read(self, value: object, path: str, faults: Faults) -> Any:
        """What the fitting kind reads."""
        for kind in self.kinds:
            if kind.fits(value):
                return kind.read(value, path, faults)
        faults.expected(path, self.expected, value)
        return None

    def schema(self) -> Schema:
        """Any of theirs."""
        return {"anyOf": [kind.schema() for kind in self.kinds]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of a table: its name, its kind, and one sentence for editors."""

    name: str
    kind: Kind
    help: str
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with known keys; with `others`, further names are tables of that kind. Reads as a dictionary."""

    keys: tuple[Key, ...]
    expected: str = "a table"
    what: str = "key"
    others: "Table | None" = None
    other_name: Text | None = None

    def fits(self, value: object) -> bool:
        """True for tables."""
        return isinstance(value, dict)

    def read(self, value: object, path: str, faults: Faults) -> Any:
        """What was given, by key."""
        if not isinstance(value, dict):
            faults.expected(path, self.expected, value)
            return None
        known = {key.name: key for key in self.keys}
        found: dict[str, Any] = {}
        for name, item in value.items():
            here = join(path, name)
            if name in known:
                found[name] = known[name].kind.read(item, here, faults)
            elif self.others is None or not self.others.fits(item):
                faults.unknown(here, name, known, self.what)
            else:
                self._check_other_name(name, here, faults)
                found[name] = self.others.read(item, here, faults)
        for key in self.keys:
            if key.required and key.name not in value:
                faults.add(join(path, key.name), "missing required value")
        return found

    def schema(self) -> Schema:
        """An object that names its keys."""
        schema: Schema = {
            "type": "object",
            "properties": {key.name: {**key.kind.schema(), "description": key.help} for key in self.keys},
            "additionalProperties": self.others.schema() if self.others else False,
        }
        if self.other_name and self.other_name.pattern:
            known = "|".join(key.name for key in self.keys)
            schema["propertyNames"] = {"anyOf": [{"pattern": f"^({known})$"}, {"pattern": self.other_name.pattern}]}
        required = [key.name for key in self.keys if key.required]
        return {**schema, "required": required} if required else schema

    def _check_other_name(self, name: str, path: str, faults: Faults) -> None:
        if self.other_name is not None:
            self.other_name.read(name, path, faults)


def _quotes_advice(value: object) -> str:
    is_plain = isinstance(value, int | float) and not isinstance(value, bool)
    return "write it in quotes" if is_plain else ""
