"""Cuts a template into text and the tokens of its `{{actions}}` (Go's text/template/parse/lex.go)."""

from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple

from labbox.errors import LabboxError

_SPACE = " \t\r\n"
_PUNCTUATION = (":=", "=", "|", "(", ")", ",")


class TemplateError(LabboxError):
    """A template that cannot be read; the message names the line as Go does."""


class Token(NamedTuple):
    """A piece of a template. Kinds: text, open, close, space, field, variable, word, number, string, or punctuation."""

    kind: str
    text: str
    offset: int


def parse_error(source: str, offset: int, reason: str) -> TemplateError:
    """A syntax error at `offset` in Go's words."""
    return TemplateError(f"template: :{source.count(chr(10), 0, offset) + 1}: {reason}")


def scan(source: str) -> Iterator[Token]:
    """The tokens of a template in order; raises TemplateError."""
    position = 0
    trim_next = False
    while position < len(source):
        start = source.find("{{", position)
        text = source[position:] if start < 0 else source[position:start]
        if trim_next:
            text = text.lstrip(_SPACE)
        if start >= 0 and _opens_with_trim(source, start):
            text = text.rstrip(_SPACE)
        if text:
            yield Token("text", text, position)
        if start < 0:
            return
        position, trim_next = yield from _scan_action(source, start)


def _opens_with_trim(source: str, start: int) -> bool:
    return source[start + 2 : start + 3] == "-" and source[start + 3 : start + 4] in tuple(_SPACE)


def _scan_action(source: str, start: int) -> Generator[Token, None, tuple[int, bool]]:
    """Yield the action's tokens; return where the text goes on and whether its leading space is trimmed."""
    position = start + (3 if _opens_with_trim(source, start) else 2)
    if source[position:].lstrip(_SPACE).startswith("/*"):
        return _skip_comment(source, position)
    yield Token("open", "{{", start)
    while True:
        end = _closing_at(source, position)
        if end is not None:
            yield Token("close", "}}", position)
            return end
        token = _scan_token(source, position)
        yield token
        position = token.offset + len(token.text)


def _closing_at(source: str, position: int) -> tuple[int, bool] | None:
    if source.startswith("}}", position):
        return position + 2, False
    if source[position : position + 1] in tuple(_SPACE) and source.startswith("-}}", position + 1):
        return position + 4, True
    return None


def _skip_comment(source: str, position: int) -> tuple[int, bool]:
    end = source.find("*/", position)
    if end < 0:
        raise parse_error(source, position, "unclosed comment")
    closing = _closing_at(source, end + 2)
    if closing is None:
        raise parse_error(source, position, "comment ends before closing delimiter")
    return closing


def _scan_token(source: str, position: int) -> Token:
    rest = source[position:]
    if not rest:
        raise parse_error(source, position, "unclosed action")
    first = rest[0]
    if first in _SPACE:
        return Token("space", rest[: _length(rest, _is_space)], position)
    for mark in _PUNCTUATION:
        if rest.startswith(mark):
            return Token(mark, mark, position)
    if first in "\"`'":
        return Token("string", rest[: _string_length(source, position, rest)], position)
    if first.isdigit() or (first in "+-" and rest[1:2].isdigit()) or (first == "." and rest[1:2].isdigit()):
        return Token("number", rest[: 1 + _length(rest[1:], _is_number)], position)
    if first in ".$":
        name = first + rest[1 : 1 + _length(rest[1:], _is_name)]
        return Token("field" if first == "." else "variable", name, position)
    if _is_name(first):
        return Token("word", rest[: _length(rest, _is_name)], position)
    raise parse_error(source, position, f"unexpected {_quote(first)} in command")


def _string_length(source: str, position: int, rest: str) -> int:
    mark, index = rest[0], 1
    while index < len(rest) and (mark == "`" or rest[index] != "\n"):
        if rest[index] == mark:
            return index + 1
        index += 2 if rest[index] == "\\" and mark != "`" else 1
    kinds = {'"': "quoted string", "`": "raw quoted string", "'": "character constant"}
    raise parse_error(source, position, f"unterminated {kinds[mark]}")


def _length(text: str, belongs: Callable[[str], bool]) -> int:
    count = 0
    while count < len(text) and belongs(text[count]):
        count += 1
    return count


def _is_space(character: str) -> bool:
    return character in _SPACE


def _is_name(character: str) -> bool:
    return character == "_" or character.isalnum()


def _is_number(character: str) -> bool:
    return character in "._" or character.isalnum()


def _quote(character: str) -> str:
    return f"{character!r}" if character.isprintable() else f"U+{ord(character):04X}"
