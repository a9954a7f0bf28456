"""How Go sees the values of a template: what counts as true, and how a value is printed."""

from typing import Any, Protocol, runtime_checkable

_CONSTANTS = {None: "<nil>", True: "true", False: "false"}


@runtime_checkable
class Record(Protocol):
    """A value whose fields are computed when a template asks for them."""

    def field_names(self) -> list[str]:
        """The fields without arguments, sorted."""
        ...

    def read_field(self, name: str, arguments: list[Any]) -> Any:
        """The value of one field; KeyError when there is no such field."""
        ...


def is_true(value: Any) -> bool:
    """Go's truth: empty, zero and nil are false."""
    return True if isinstance(value, Record) else bool(value)


def show(value: Any) -> str:
    """A value as Go's `%v` prints it: `map[a:1 b:2]`, `[x y]`, `<nil>`."""
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    if isinstance(value, float):
        return show_float(value)
    if isinstance(value, dict):
        return "map[" + " ".join(f"{show(key)}:{show(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(map(show, value)) + "]"
    if isinstance(value, Record):
        return show(to_document(value))
    return str(value)


def show_float(value: float) -> str:
    """A number as Go's `%v` prints it: without a fraction of zero, exponents from 1e+21 on."""
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return repr(value)


def to_document(value: Any) -> Any:
    """A value as `json` prints it: records become objects of all their fields."""
    if isinstance(value, Record):
        return {name: to_document(value.read_field(name, [])) for name in value.field_names()}
    if isinstance(value, dict):
        return {key: to_document(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [to_document(entry) for entry in value]
    return value
