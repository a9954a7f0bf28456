"""The functions a template may call: Go's own, and those docker adds (github.com/docker/cli/templates)."""

import json
from collections.abc import Callable
from typing import Any

from labbox.cli.templates.values import Record, show, to_document


class FunctionError(Exception):
    """A function that cannot work with its arguments; the message is Go's."""


def to_json(value: Any) -> str:
    """A value as one line of JSON, keys in their order, in Go's spacing."""
    return json.dumps(to_document(value), separators=(",", ":"), ensure_ascii=False)


def index(collection: Any, *keys: Any) -> Any:
    """`index x 1 "a"`: the entry of a list or map; a missing key of a map gives the empty value."""
    for key in keys:
        collection = _index_once(collection, key)
    return collection


def go_slice(text: Any, start: int = 0, end: int | None = None) -> Any:
    """`slice x 1 3`: a part of a list or string."""
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise FunctionError(f"index out of range: {stop if stop > len(text) else start}")
    return text[start:stop]


def length(value: Any) -> int:
    """`len x`; Go has no length of numbers, docker's typed values let `len` of them pass as text."""
    if value is None:
        raise FunctionError("len of nil pointer")
    if isinstance(value, str):
        return len(value.encode(errors="surrogateescape"))
    if isinstance(value, dict | list | tuple):
        return len(value)
    raise FunctionError(f"len of type {_type_name(value)}")


def go_printf(pattern: Any, *values: Any) -> str:
    """`printf "%-10s %d" .A .B` with Go's verbs v s d q t f x and their width and precision."""
    rest, waiting, parts = _text(pattern), list(values), list[str]()
    while rest:
        before, percent, rest = rest.partition("%")
        parts.append(before)
        if not percent:
            break
        flags = _leading(rest, "+-# 0123456789.")
        verb, rest = rest[len(flags) : len(flags) + 1], rest[len(flags) + 1 :]
        if verb == "%":
            parts.append("%")
        elif not verb:
            parts.append("%!(NOVERB)")
        elif not waiting:
            parts.append(f"%!{verb}(MISSING)")
        else:
            parts.append(_format_verb(flags, verb, waiting.pop(0)))
    if waiting:
        extra = ", ".join(f"{_type_name(value)}={show(value)}" for value in waiting)
        parts.append(f"%!(EXTRA {extra})")
    return "".join(parts)


def go_print(*values: Any) -> str:
    """`print a b`: a space only between values that are both no strings."""
    parts: list[str] = []
    for position, value in enumerate(values):
        if position and not isinstance(value, str) and not isinstance(values[position - 1], str):
            parts.append(" ")
        parts.append(show(value))
    return "".join(parts)


def go_println(*values: Any) -> str:
    """`println a b`: spaces between, a line end after."""
    return " ".join(map(show, values)) + "\n"


def equal(first: Any, *others: Any) -> bool:
    """`eq a b c`: true when `a` is any of the others."""
    if not others:
        raise FunctionError("missing argument for comparison")
    for other in others:
        _check_comparable(first, other)
    return any(first == other for other in others)


def pad(text: Any, before: int, after: int) -> str:
    """`pad x 1 2`: spaces around a text that is not empty."""
    return f"{' ' * before}{text}{' ' * after}" if text else ""


def html(*values: Any) -> str:
    """The values as text that is safe in HTML."""
    text = go_print(*values)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&#34;"), ("'", "&#39;")):
        text = text.replace(character, entity)
    return text


def urlquery(*values: Any) -> str:
    """The values escaped for the query part of an address."""
    from urllib.parse import quote_plus  # rarely used, and slow to import

    return quote_plus(go_print(*values))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    # `and` and `or` stop early: templates/evaluation.py calls them itself
    "and": lambda *values: values[-1],
    "or": lambda *values: values[-1],
    "not": lambda value: not value,
    "eq": equal,
    "ne": lambda first, second: not equal(first, second),
    "lt": lambda first, second: _compare(first, second) < 0,
    "le": lambda first, second: _compare(first, second) <= 0,
    "gt": lambda first, second: _compare(first, second) > 0,
    "ge": lambda first, second: _compare(first, second) >= 0,
    "html": html,
    "index": index,
    "join": lambda values, separator: separator.join(_texts(values)),
    "json": to_json,
    "len": length,
    "lower": lambda text: _text(text).lower(),
    "pad": pad,
    "print": go_print,
    "printf": go_printf,
    "println": go_println,
    "slice": go_slice,
    "split": lambda text, separator: _text(text).split(separator),
    "title": lambda text: _capitalise(_text(text)),
    "truncate": lambda text, size: _text(text)[:size],
    "upper": lambda text: _text(text).upper(),
    "urlquery": urlquery,
}


def _index_once(collection: Any, key: Any) -> Any:
    if collection is None:
        raise FunctionError("index of untyped nil")
    if isinstance(collection, dict):
        if not isinstance(key, str):
            raise FunctionError(f"value has type {_type_name(key)}; should be string")
        # Go's empty value of the map's type: labels and environments are texts, all else is nil
        empty = "" if all(isinstance(value, str) for value in collection.values()) else None
        return collection.get(key, empty)
    if isinstance(collection, list | tuple | str):
        if not isinstance(key, int) or isinstance(key, bool):
            raise FunctionError(f"cannot index slice/array with type {_type_name(key)}")
        if not 0 <= key < len(collection):
            raise FunctionError(f"index out of range: {key}")
        return collection[key] if not isinstance(collection, str) else collection.encode()[key]
    raise FunctionError(f"can't index item of type {_type_name(collection)}")


def _check_comparable(first: Any, other: Any) -> None:
    numbers = (int, float)
    if isinstance(first, bool) == isinstance(other, bool) and (
        type(first) is type(other)
        or (isinstance(first, numbers) and isinstance(other, numbers))
        or first is None
        or other is None
    ):
        return
    raise FunctionError("incompatible types for comparison")


def _compare(first: Any, second: Any) -> int:
    _check_comparable(first, second)
    if isinstance(first, bool) or not isinstance(first, str | int | float):
        raise FunctionError("invalid type for comparison")
    return int(first > second) - int(first < second)


def _format_verb(flags: str, verb: str, value: Any) -> str:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    text_flags = flags.replace("+", "").replace("#", "")
    if verb in "vs" or (verb == "t" and isinstance(value, bool)):
        return f"%{text_flags}s" % show(value)
    if verb == "q":
        return f"%{text_flags}s" % json.dumps(_text(value), ensure_ascii=False)
    if (verb in "dxXo" and is_integer) or (verb in "feg" and isinstance(value, float)):
        return str(f"%{flags}{verb}" % value)
    if verb == "x" and isinstance(value, str):
        return value.encode().hex()
    return f"%!{verb}({_type_name(value)}={show(value)})"


def _leading(text: str, characters: str) -> str:
    return text[: len(text) - len(text.lstrip(characters))]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise FunctionError(f"wrong type for value; expected string; got {_type_name(value)}")


def _texts(values: Any) -> list[str]:
    if isinstance(values, list | tuple):
        return [_text(value) for value in values]
    raise FunctionError(f"wrong type for value; expected []string; got {_type_name(values)}")


def _capitalise(text: str) -> str:
    return "".join(
        character.upper() if not position or text[position - 1].isspace() else character
        for position, character in enumerate(text)
    )


def _type_name(value: Any) -> str:
    names: tuple[tuple[type, str], ...] = (
        (bool, "bool"),
        (str, "string"),
        (int, "int"),
        (float, "float64"),
        (dict, "map[string]interface {}"),
        (list, "[]interface {}"),
        (tuple, "[]interface {}"),
    )
    if isinstance(value, Record):
        return "struct"
    return next((name for kind, name in names if isinstance(value, kind)), "<nil>")
