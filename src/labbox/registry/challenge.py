"""What a registry asks for with 401: the challenges of WWW-Authenticate (RFC 9110 §11.6.1)."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_PARAMETER = re.compile(rf'\s*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD}[^\s,]*))\s*,?')
_SCHEME = re.compile(rf"[\s,]*({_WORD})(?=\s|$|,)")


class Challenge(NamedTuple):
    """A scheme in lower case (`basic`, `bearer`) and its parameters."""

    scheme: str
    parameters: Mapping[str, str]

    @property
    def scopes(self) -> tuple[str, ...]:
        """The rights that a token is to carry; one value may hold several."""
        return tuple(self.parameters.get("scope", "").split())


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Every challenge of one or several headers; what cannot be read ends its header."""
    return [challenge for header in headers for challenge in _parse_header(header)]


def _parse_header(header: str) -> list[Challenge]:
    challenges: list[Challenge] = []
    position = 0
    while match := _SCHEME.match(header, position):
        position = match.end()
        parameters: dict[str, str] = {}
        while found := _PARAMETER.match(header, position):
            position = found.end()
            quoted = found[2]
            value = found[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            parameters[found[1].lower()] = value
        challenges.append(Challenge(match[1].lower(), parameters))
    return challenges
