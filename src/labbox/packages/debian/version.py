"""Order of Debian package versions (deb-version(7), Debian Policy §5.6.12)."""

import re
from functools import cmp_to_key

_PARTS = re.compile(r"([^0-9]*)([0-9]*)")

OPERATORS = frozenset({"<<", "<=", "=", ">=", ">>"})


def compare_versions(first: str, second: str) -> int:
    """Negative, zero or positive as the first version is older than, equal to or newer than the second."""
    if first == second:
        return 0
    first_epoch, first_upstream, first_revision = _split(first)
    second_epoch, second_upstream, second_revision = _split(second)
    return (
        first_epoch - second_epoch
        or _compare_part(first_upstream, second_upstream)
        or _compare_part(first_revision, second_revision)
    )


version_key = cmp_to_key(compare_versions)


def satisfies(version: str, operator: str, wanted: str) -> bool:
    """True when `version` stands in the relation `operator` to `wanted`; an empty operator is always satisfied."""
    if not operator:
        return True
    order = compare_versions(version, wanted)
    match operator:
        case "=":
            return order == 0
        case ">=":
            return order >= 0
        case "<=":
            return order <= 0
        case ">>":
            return order > 0
        case _:
            return order < 0


def _split(version: str) -> tuple[int, str, str]:
    epoch, colon, rest = version.partition(":")
    if not colon or not epoch.isdigit():
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-")
    return (int(epoch), upstream, revision) if upstream else (int(epoch), rest, "")


def _compare_part(first: str, second: str) -> int:
    """Alternate non-digits (letters before others, `~` before the end) and numbers, as dpkg's verrevcmp does."""
    first_parts, second_parts = _PARTS.findall(first), _PARTS.findall(second)
    for index in range(max(len(first_parts), len(second_parts))):
        first_text, first_digits = first_parts[index] if index < len(first_parts) else ("", "")
        second_text, second_digits = second_parts[index] if index < len(second_parts) else ("", "")
        order = _compare_text(first_text, second_text) or int(first_digits or 0) - int(second_digits or 0)
        if order:
            return order
    return 0


def _compare_text(first: str, second: str) -> int:
    for index in range(max(len(first), len(second))):
        order = _weight(first, index) - _weight(second, index)
        if order:
            return order
    return 0


def _weight(text: str, index: int) -> int:
    if index >= len(text):
        return 0
    character = text[index]
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256
