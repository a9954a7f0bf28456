"""`.dockerignore`: which files of a folder are no part of a build's context.

Source: docs.docker.com/build/concepts/context, "dockerignore files"; github.com/moby/patternmatcher.
"""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from labbox.errors import UsageError

# Go's character classes are those of regular expressions, `[^a-z]` included.
_EXPRESSIONS = {"*": "[^/]*", "?": "[^/]", "[": "[", "]": "]", "-": "-", "^": "^"}


@dataclass(frozen=True, slots=True)
class _Pattern:
    expression: re.Pattern[str]
    is_exception: bool


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """Patterns in order; the last one that fits a path, or a folder above it, decides."""

    patterns: tuple[_Pattern, ...] = ()

    @property
    def has_exceptions(self) -> bool:
        """True when something inside of an ignored folder may still belong to the context."""
        return any(pattern.is_exception for pattern in self.patterns)

    def ignores(self, path: str) -> bool:
        """True when the file or folder at this path (relative, with slashes) is left out."""
        names = path.split("/")
        above = ["/".join(names[:count]) for count in range(len(names), 0, -1)]
        ignored = False
        for pattern in self.patterns:
            if ignored == pattern.is_exception and any(pattern.expression.fullmatch(part) for part in above):
                ignored = not pattern.is_exception
        return ignored


NO_RULES = IgnoreRules()


def parse_ignore(text: str) -> IgnoreRules:
    """The rules of a file's text; raises UsageError for a pattern that cannot be understood."""
    lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines() if not line.startswith("#")]
    return make_rules([line for line in lines if line])


def make_rules(patterns: Sequence[str]) -> IgnoreRules:
    """The rules of patterns as they are written; a leading `!` makes an exception."""
    made = []
    for written in patterns:
        is_exception = written.startswith("!")
        pattern = written.removeprefix("!").strip()
        if not pattern:
            raise UsageError('illegal exclusion pattern: "!"')
        made.append(_Pattern(_compile(_clean(pattern), written), is_exception))
    return IgnoreRules(tuple(made))


def _clean(pattern: str) -> str:
    """As Go's filepath.Clean, and without the slash that stands for the context's root."""
    cleaned = posixpath.normpath(pattern)
    return cleaned.lstrip("/") if len(cleaned) > 1 else cleaned


def _compile(pattern: str, written: str) -> re.Pattern[str]:
    try:
        return re.compile(_expression(pattern), re.DOTALL)
    except re.error:
        raise UsageError(f"syntax error in pattern `{written}`") from None


def _expression(pattern: str) -> str:
    """`*` and `?` stay within one name, `**` crosses folders; a backslash makes a character ordinary."""
    parts = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if pattern.startswith("**", at - 1):
            at += 1
            at += pattern.startswith("/", at)
            parts.append(".*" if at >= len(pattern) else "(?:.*/)?")
        elif character == "\\" and at < len(pattern):
            parts.append(re.escape(pattern[at]))
            at += 1
        else:
            parts.append(_EXPRESSIONS.get(character) or re.escape(character))
    return "".join(parts)
