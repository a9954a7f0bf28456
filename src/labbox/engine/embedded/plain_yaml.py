"""The plain part of YAML that machines write: block mappings and lists, quoted and unquoted scalars.

Enough for device descriptions (CDI) without a dependency. Anchors, flow collections with content, block scalars and
tags are refused by name rather than misread.
"""

from typing import Any, NamedTuple

_WORDS: dict[str, Any] = {"null": None, "~": None, "": None, "true": True, "false": False, "[]": [], "{}": {}}


class _Line(NamedTuple):
    number: int
    indent: int
    text: str


def parse_yaml(text: str) -> Any:
    """The document as dictionaries, lists, texts, numbers, booleans and None; ValueError naming the line."""
    lines = []
    for number, raw in enumerate(text.split("\n"), 1):
        stripped = raw.strip()
        if stripped and not stripped.startswith("#") and stripped not in {"---", "..."}:
            lines.append(_Line(number, len(raw) - len(raw.lstrip(" ")), stripped))
    if not lines:
        return None
    value, rest = _parse_block(lines, lines[0].indent)
    if rest:
        raise ValueError(f"line {rest[0].number}: unexpected indentation")
    return value


def _parse_block(lines: list[_Line], indent: int) -> tuple[Any, list[_Line]]:
    if lines[0].text.startswith("- ") or lines[0].text == "-":
        return _parse_list(lines, indent)
    if _split_key(lines[0].text) is not None:
        return _parse_mapping(lines, indent)
    return _scalar(lines[0]), lines[1:]


def _parse_list(lines: list[_Line], indent: int) -> tuple[list[Any], list[_Line]]:
    items = []
    while lines and lines[0].indent == indent and (lines[0].text.startswith("- ") or lines[0].text == "-"):
        first, rest = lines[0], lines[1:]
        inner = first.text[1:].lstrip()
        if inner:
            # "- key: value" opens a mapping whose other keys stand under the first.
            lines = [_Line(first.number, indent + len(first.text) - len(inner), inner), *rest]
            value, lines = _parse_block(lines, lines[0].indent)
        elif rest and rest[0].indent > indent:
            value, lines = _parse_block(rest, rest[0].indent)
        else:
            value, lines = None, rest
        items.append(value)
    return items, lines


def _parse_mapping(lines: list[_Line], indent: int) -> tuple[dict[str, Any], list[_Line]]:
    mapping: dict[str, Any] = {}
    while lines and lines[0].indent == indent:
        first, rest = lines[0], lines[1:]
        split = _split_key(first.text)
        if split is None:
            break
        key, inner = split
        is_list_below = bool(rest) and rest[0].indent == indent and rest[0].text.startswith("-")
        if inner:
            mapping[key], lines = _scalar(_Line(first.number, indent, inner)), rest
        elif rest and (rest[0].indent > indent or is_list_below):
            mapping[key], lines = _parse_block(rest, rest[0].indent)
        else:
            mapping[key], lines = None, rest
    return mapping, lines


def _split_key(text: str) -> tuple[str, str] | None:
    if text[0] in "\"'":
        end = text.find(text[0], 1)
        if end < 0 or text[end + 1 : end + 2] != ":":
            return None
        return text[1:end], text[end + 2 :].strip()
    key, separator, value = text.partition(":")
    if not separator or (value and not value.startswith(" ")):
        return None
    return key.strip(), value.strip()


def _scalar(line: _Line) -> Any:
    text = line.text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "\"'":
        if len(text) < 2 or text[-1] != text[0]:
            raise ValueError(f"line {line.number}: a quoted text that does not end")
        inner = text[1:-1]
        return inner.replace("''", "'") if text[0] == "'" else inner.encode().decode("unicode_escape")
    if text[0] in "&*!|>[{%@`":
        raise ValueError(f"line {line.number}: `{text[0]}` is beyond plain YAML")
    plain = text.split(" #")[0].rstrip()
    digits = plain.removeprefix("-")
    return int(plain) if digits.isdigit() else plain
