"""Words of a Dockerfile line: quotes, escapes and variables, by docker's rules (a subset of sh's).

Source: docs.docker.com/reference/dockerfile, "Environment replacement"; moby buildkit frontend/dockerfile/shell/lex.go.
"""

import re
from collections.abc import Mapping

from labbox.errors import UsageError

DEFAULT_ESCAPE = "\\"
_MAX_DEPTH = 16
_SPECIAL_PARAMETERS = "@*#?-$!0"
_DIGITS = "0123456789"


def split_words(text: str, variables: Mapping[str, str], *, escape: str = DEFAULT_ESCAPE) -> list[str]:
    """The words of a line, quotes removed and variables replaced; raises UsageError for an open quote."""
    return _Lexer(text, variables, escape).words()


def expand_word(text: str, variables: Mapping[str, str], *, escape: str = DEFAULT_ESCAPE) -> str:
    """A whole text as one word: white space stays, quotes are removed, variables replaced."""
    return _Lexer(text, variables, escape).whole()


def expand_document(text: str, variables: Mapping[str, str], *, escape: str = DEFAULT_ESCAPE) -> str:
    """A here-document's text with its variables replaced; quotes are ordinary letters in it."""
    return _Lexer(text, variables, escape, keeps_quotes=True).whole()


class _Lexer:
    """Reads one text from left to right."""

    def __init__(
        self, text: str, variables: Mapping[str, str], escape: str, depth: int = 0, *, keeps_quotes: bool = False
    ) -> None:
        self._text = text
        self._at = 0
        self._variables = variables
        self._escape = escape
        self._depth = depth
        self._keeps_quotes = keeps_quotes

    def words(self) -> list[str]:
        """Every word."""
        words: list[str] = []
        while True:
            self._skip_blanks()
            if self._at >= len(self._text):
                return words
            words.append(self._word(ends_at_blank=True))

    def whole(self) -> str:
        """The text as one word."""
        return self._word()

    def _skip_blanks(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def _word(self, stop: str = "", *, ends_at_blank: bool = False, keeps_escapes: bool = False) -> str:
        """Up to `stop`, which is read too and must be there, or to the end of the word or text."""
        parts: list[str] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            if ends_at_blank and character.isspace():
                break
            self._at += 1
            if stop and character == stop:
                return "".join(parts)
            if character == self._escape:
                parts.append((character if keeps_escapes else "") + self._take())
            elif character == "$":
                parts.append(self._variable())
            elif character == "'" and not self._keeps_quotes:
                parts.append(self._until_single_quote())
            elif character == '"' and not self._keeps_quotes:
                parts.append(self._until_double_quote())
            else:
                parts.append(character)
        if stop:
            raise UsageError(f"`{self._text}`: {'a brace is not closed' if stop == '}' else f'`{stop}` is missing'}")
        return "".join(parts)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        """The next character, or nothing at the end: an escape there is dropped."""
        self._at += 1
        return self._text[self._at - 1 : self._at]

    def _until_single_quote(self) -> str:
        end = self._text.find("'", self._at)
        if end < 0:
            raise UsageError(f"`{self._text}`: a single quote is not closed")
        quoted = self._text[self._at : end]
        self._at = end + 1
        return quoted

    def _until_double_quote(self) -> str:
        parts: list[str] = []
        while self._at < len(self._text):
            character = self._take()
            if character == '"':
                return "".join(parts)
            if character == "$":
                parts.append(self._variable())
            elif character == self._escape:
                escaped = self._take()
                parts.append(escaped if escaped in ('"', "$", self._escape) else character + escaped)
            else:
                parts.append(character)
        raise UsageError(f"`{self._text}`: a double quote is not closed")

    def _variable(self) -> str:
        """What stands for `$NAME` or `${NAME…}`; the dollar has been read."""
        if self._peek() != "{":
            name = self._name()
            return self._variables.get(name, "") if name else "$"
        self._at += 1
        name = self._name()
        modifier = self._take()
        if not name:
            raise UsageError(f"`{self._text}`: bad substitution")
        if not modifier:
            raise UsageError(f"`{self._text}`: a brace is not closed")
        if modifier == "}":
            return self._variables.get(name, "")
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise UsageError(f"`{self._text[:80]}` nests variables too deeply")
        try:
            return self._modified(name, modifier)
        finally:
            self._depth -= 1

    def _modified(self, name: str, modifier: str) -> str:
        """`${NAME:-otherwise}` and its like, by its first character after the name, which has been read."""
        value = self._variables.get(name)
        is_absent = value is None
        if modifier == ":":
            is_absent, modifier = not value, self._take()
            if modifier in ("#", "%", "/"):
                raise self._unsupported(name, f":{modifier}")
        if modifier in ("-", "+", "?"):
            word = self._word("}")
            if modifier == "?" and is_absent:
                raise UsageError(f"{name}: {word or 'is not set'}")
            return word if is_absent == (modifier == "-") and modifier != "?" else (value or "") * (modifier != "+")
        if modifier in ("#", "%"):
            return _without_edge(value or "", self._word("}", keeps_escapes=True), modifier)
        if modifier == "/":
            return self._replaced(value or "")
        raise self._unsupported(name, modifier)

    def _replaced(self, value: str) -> str:
        """`${NAME/pattern/replacement}`, with two slashes at first for every occurrence."""
        replaces_all = self._peek() == "/"
        self._at += replaces_all
        pattern = _shell_pattern(self._word("/", keeps_escapes=True), greedy=True)
        replacement = self._word("}", keeps_escapes=True)
        return re.sub(pattern, lambda _: replacement, value, count=0 if replaces_all else 1, flags=re.DOTALL)

    def _unsupported(self, name: str, modifier: str) -> UsageError:
        return UsageError(f"`{self._text}`: unsupported modifier ({modifier}) in the substitution of `{name}`")

    def _name(self) -> str:
        """A name of letters, digits and underscores, a number, or one of sh's special parameters."""
        start = self._at
        first = self._peek()
        if first and first in _SPECIAL_PARAMETERS:
            self._at += 1
            return first
        only_digits = bool(first) and first in _DIGITS
        while (letter := self._peek()) and (letter in _DIGITS if only_digits else letter.isalnum() or letter == "_"):
            self._at += 1
        return self._text[start : self._at]


def _without_edge(value: str, pattern: str, edge: str) -> str:
    """The value without the shortest start (`#`) or end (`%`) that matches; the longest when the sign is doubled."""
    greedy = pattern.startswith(edge)
    compiled = re.compile(_shell_pattern(pattern[greedy:], greedy=True), re.DOTALL)
    lengths = range(len(value), -1, -1) if greedy else range(len(value) + 1)
    for length in lengths:
        part = value[:length] if edge == "#" else value[len(value) - length :]
        if compiled.fullmatch(part):
            return value[length:] if edge == "#" else value[: len(value) - length]
    return value


def _shell_pattern(pattern: str, *, greedy: bool) -> str:
    """A pattern with `*` and `?` as a regular expression; a backslash makes the next character ordinary."""
    parts = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "\\" and at + 1 < len(pattern):
            at += 1
            parts.append(re.escape(pattern[at]))
        else:
            parts.append({"*": ".*" if greedy else ".*?", "?": "."}.get(character, re.escape(character)))
        at += 1
    return "".join(parts)
