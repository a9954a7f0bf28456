"""Words of a Dockerfile line: quotes, backslashes and variables, by docker's rules (a subset of sh's).

Source: docs.docker.com/reference/dockerfile, "Environment replacement"; moby buildkit frontend/dockerfile/shell/lex.go.
"""

from collections.abc import Mapping

from labbox.errors import UsageError

_MAX_DEPTH = 16


def split_words(text: str, variables: Mapping[str, str]) -> list[str]:
    """The words of a line, quotes removed and variables replaced; raises UsageError for an open quote."""
    return _Lexer(text, variables).words()


def expand_word(text: str, variables: Mapping[str, str]) -> str:
    """A whole text as one word: white space stays, quotes are removed, variables replaced."""
    return _Lexer(text, variables).whole()


class _Lexer:
    """Reads one text from left to right."""

    def __init__(self, text: str, variables: Mapping[str, str], depth: int = 0) -> None:
        if depth > _MAX_DEPTH:
            raise UsageError(f"`{text}` nests variables too deeply")
        self._text = text
        self._at = 0
        self._variables = variables
        self._depth = depth

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
        return self._word(ends_at_blank=False)

    def _skip_blanks(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def _word(self, *, ends_at_blank: bool) -> str:
        parts = []
        while self._at < len(self._text):
            character = self._text[self._at]
            if ends_at_blank and character.isspace():
                break
            self._at += 1
            if character == "'":
                parts.append(self._until_single_quote())
            elif character == '"':
                parts.append(self._until_double_quote())
            elif character == "\\":
                parts.append(self._take())
            elif character == "$":
                parts.append(self._variable())
            else:
                parts.append(character)
        return "".join(parts)

    def _take(self) -> str:
        """The next character, or a backslash when it was the last."""
        if self._at >= len(self._text):
            return "\\"
        self._at += 1
        return self._text[self._at - 1]

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
            elif character == "\\":
                escaped = self._take()
                parts.append(escaped if escaped in '"\\$' else "\\" + escaped)
            else:
                parts.append(character)
        raise UsageError(f"`{self._text}`: a double quote is not closed")

    def _variable(self) -> str:
        """What stands for `$NAME`, `${NAME}`, `${NAME:-otherwise}`, `${NAME:+instead}`; the dollar has been read."""
        if self._text[self._at : self._at + 1] != "{":
            name = self._name()
            return self._variables.get(name, "") if name else "$"
        self._at += 1
        name = self._name()
        end = self._closing_brace()
        operator, word = self._text[self._at : self._at + 2], self._text[self._at + 2 : end]
        rest, self._at = self._text[self._at : end], end + 1
        value = self._variables.get(name, "")
        if not name or (rest and operator not in (":-", ":+")):
            raise UsageError(f"`{self._text}`: `${{{name}{rest}}}` is not supported")
        if not rest:
            return value
        replacement = _Lexer(word, self._variables, self._depth + 1).whole()
        if operator == ":-":
            return value or replacement
        return replacement if value else ""

    def _name(self) -> str:
        start = self._at
        while self._at < len(self._text) and (self._text[self._at].isalnum() or self._text[self._at] == "_"):
            self._at += 1
        return self._text[start : self._at]

    def _closing_brace(self) -> int:
        depth = 1
        for position in range(self._at, len(self._text)):
            depth += {"{": 1, "}": -1}.get(self._text[position], 0)
            if depth == 0:
                return position
        raise UsageError(f"`{self._text}`: a brace is not closed")
