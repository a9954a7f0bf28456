"""A Dockerfile's text as statements: directives, comments, continued lines, here-documents and flags told apart.

Source: docs.docker.com/reference/dockerfile, "Format", "Parser directives", "Here-documents"; moby buildkit
frontend/dockerfile/parser/parser.go.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from labbox.build.dockerfile.failures import DockerfileError

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$")
_DIRECTIVES = frozenset({"syntax", "escape", "check"})
_HEREDOC = re.compile(r"(\d*)<<(-?)(['\"]?)([a-zA-Z_][a-zA-Z0-9_.+-]*)\3$")
_WITH_HEREDOCS = frozenset({"ADD", "COPY", "RUN"})
_ESCAPES = ("\\", "`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heredoc:
    """One here-document: `expand` says whether variables in it are replaced, `chomp` that leading tabs are dropped."""

    name: str
    content: str
    expand: bool = True
    chomp: bool = False

    @property
    def text(self) -> str:
        """The content as it is meant."""
        return re.sub(r"(?m)^\t+", "", self.content) if self.chomp else self.content


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One instruction as written: its name in capitals, its flags, the rest of its text, and where it stands."""

    name: str
    flags: tuple[tuple[str, str | None], ...]
    text: str
    heredocs: tuple[Heredoc, ...] = ()
    line: int = 0
    last_line: int = 0

    @property
    def written(self) -> str:
        """The statement on one line, for progress and history."""
        flags = [f"--{name}" if value is None else f"--{name}={value}" for name, value in self.flags]
        return " ".join([self.name, *flags, self.text]).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFile:
    """All statements of a Dockerfile, and its escape character."""

    statements: tuple[Statement, ...]
    directives: Mapping[str, str]

    @property
    def escape(self) -> str:
        """What continues a line and takes a character's meaning."""
        return self.directives.get("escape", "\\")


def parse_statements(text: str) -> ParsedFile:
    """Read a whole Dockerfile; raises DockerfileError naming the line."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    directives = _read_directives(lines)
    reader = _Reader(lines, directives.get("escape", "\\"))
    statements = tuple(reader.read())
    if not statements:
        raise DockerfileError("the file holds no instructions", line=0)
    return ParsedFile(statements=statements, directives=directives)


def parse_line(text: str, escape: str = "\\", *, line: int = 0) -> Statement:
    """One statement of one line: what ONBUILD keeps in an image."""
    return _make_statement(text.strip(), escape, (), line, line)


def _read_directives(lines: list[str]) -> dict[str, str]:
    """`# name=value` in the first lines; the first line that is none ends them."""
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if number == 1 and line.startswith("#!"):
            continue
        match = _DIRECTIVE.match(line.strip())
        if match is None or match[1].lower() not in _DIRECTIVES:
            break
        name, value = match[1].lower(), match[2]
        if name in found:
            raise DockerfileError(f"only one `{name}` parser directive can be used", line=number)
        if name == "escape" and value not in _ESCAPES:
            raise DockerfileError(f"invalid ESCAPE `{value}`: it must be `\\` or a backtick", line=number)
        found[name] = value
    return found


class _Reader:
    """Goes through the lines once."""

    def __init__(self, lines: list[str], escape: str) -> None:
        self._lines = lines
        self._at = 0
        self._escape = escape
        sign = re.escape(escape)
        self._continued = re.compile(rf"(^|[^{sign}]){sign}[ \t]*$")

    def read(self) -> Iterator[Statement]:
        """Every statement."""
        while self._at < len(self._lines):
            line = self._lines[self._at].strip()
            if not line or line.startswith("#"):
                self._at += 1
                continue
            yield self._statement()

    def _statement(self) -> Statement:
        first = self._at + 1
        text = self._logical_line()
        heredocs = tuple(self._heredocs(text, first))
        return _make_statement(text, self._escape, heredocs, first, self._at)

    def _logical_line(self) -> str:
        """A line with those it is continued by; comments and empty lines between them do not count."""
        parts: list[str] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if parts and (not line.strip() or line.lstrip().startswith("#")):
                continue
            match = self._continued.search(line)
            if match is None:
                parts.append(line)
                break
            parts.append(line[: match.end(1)])
        return "".join(parts).strip()

    def _heredocs(self, text: str, line: int) -> Iterator[Heredoc]:
        """The here-documents that a statement opens: their lines follow it."""
        for opening in heredocs_opened(text, self._escape):
            content: list[str] = []
            while True:
                if self._at >= len(self._lines):
                    raise DockerfileError(f"unterminated heredoc: `{opening.name}` is missing on a line", line=line)
                row = self._lines[self._at]
                self._at += 1
                if (row.lstrip("\t") if opening.chomp else row) == opening.name:
                    break
                content.append(row + "\n")
            yield Heredoc(name=opening.name, content="".join(content), expand=opening.expand, chomp=opening.chomp)


def heredocs_opened(text: str, escape: str = "\\") -> list[Heredoc]:
    """The here-documents named in a statement (`<<EOF`, `<<-EOF`, `<<"EOF"`), without content."""
    name, _, rest = text.partition(" ")
    while name.upper() == "ONBUILD":
        name, _, rest = rest.strip().partition(" ")
    if name.upper() not in _WITH_HEREDOCS or "<<" not in rest or rest.strip().startswith("["):
        return []
    matches = [_HEREDOC.match(word) for word in raw_words(rest, escape)]
    return [Heredoc(name=match[4], content="", expand=not match[3], chomp=bool(match[2])) for match in matches if match]


def raw_words(text: str, escape: str = "\\") -> list[str]:
    """The words of a text as they are written, quotes and escapes kept; white space in quotes does not separate."""
    words, word, quote, at = [], "", "", 0
    while at < len(text):
        character = text[at]
        if character == escape and quote != "'" and at + 1 < len(text):
            word += text[at : at + 2]
            at += 2
            continue
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character.isspace():
            words += [word] if word else []
            word, at = "", at + 1
            continue
        word += character
        at += 1
    return [*words, word] if word else words


def _make_statement(text: str, escape: str, heredocs: tuple[Heredoc, ...], line: int, last_line: int) -> Statement:
    name, rest, *_ = [*text.split(None, 1), "", ""]
    flags, rest = _split_flags(rest, escape)
    return Statement(name=name.upper(), flags=flags, text=rest, heredocs=heredocs, line=line, last_line=last_line)


def _split_flags(text: str, escape: str) -> tuple[tuple[tuple[str, str | None], ...], str]:
    """The words in front that begin with two dashes; `--` alone ends them."""
    flags: list[tuple[str, str | None]] = []
    rest = text.lstrip()
    while rest.startswith("--"):
        word, length = _flag_word(rest, escape)
        rest = rest[length:].lstrip()
        if word == "--":
            break
        name, equals, value = word[2:].partition("=")
        flags.append((name, value if equals else None))
    return tuple(flags), rest.strip()


def _flag_word(text: str, escape: str) -> tuple[str, int]:
    """The first word without its quotes and escapes, and how long it is in the text."""
    word, quote, at = "", "", 0
    while at < len(text):
        character = text[at]
        if not quote and character.isspace():
            break
        if character == escape and at + 1 < len(text):
            at += 1
            word += text[at] if text[at] in (quote or "'\" ") or text[at] == escape else character + text[at]
        elif quote:
            word, quote = (word, "") if character == quote else (word + character, quote)
        elif character in "'\"":
            quote = character
        else:
            word += character
        at += 1
    return word, at
