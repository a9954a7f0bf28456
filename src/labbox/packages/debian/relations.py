"""Relations between packages: `Depends: libc6 (>= 2.36), exim4 | mail-transport-agent` (Debian Policy §7.1)."""

import re
from functools import cache
from typing import NamedTuple

from labbox.errors import ResolutionError
from labbox.packages.debian.version import satisfies

_RELATION = re.compile(
    r"\s*(?P<name>[a-zA-Z0-9][a-zA-Z0-9+.\-]*)(?::(?P<qualifier>[a-zA-Z0-9\-]+))?"
    r"\s*(?:\(\s*(?P<operator><<|<=|=|>=|>>|<|>)\s*(?P<version>[^)\s]+)\s*\))?"
    r"\s*(?:\[(?P<architectures>[^\]]*)\])?\s*(?:<[^>]*>\s*)*$"
)
# Policy §7.1: the old spellings `<` and `>` mean "or equal".
_OLD_OPERATORS = {"<": "<=", ">": ">="}


class Relation(NamedTuple):
    """One named package, possibly with a bound on its version and an architecture qualifier (`:any`)."""

    name: str
    operator: str = ""
    version: str = ""
    qualifier: str = ""

    def accepts(self, version: str) -> bool:
        """True when a package of this name in `version` satisfies the relation."""
        return satisfies(version, self.operator, self.version)

    def accepts_provided(self, version: str | None) -> bool:
        """True when a `Provides` satisfies the relation: one without a version meets unversioned relations only."""
        return not self.operator or (version is not None and self.accepts(version))

    def __str__(self) -> str:
        qualifier = f":{self.qualifier}" if self.qualifier else ""
        bound = f" ({self.operator} {self.version})" if self.operator else ""
        return f"{self.name}{qualifier}{bound}"


Alternatives = tuple[Relation, ...]


@cache
def parse_relations(text: str) -> tuple[Alternatives, ...]:
    """The groups of a relation field: all groups must hold, of each group one alternative."""
    return tuple(
        tuple(_parse_relation(alternative) for alternative in group.split("|"))
        for group in text.split(",")
        if group.strip()
    )


def format_alternatives(group: Alternatives) -> str:
    """A group as Debian writes it."""
    return " | ".join(str(relation) for relation in group)


def _parse_relation(text: str) -> Relation:
    match = _RELATION.match(text)
    if match is None:
        raise ResolutionError(f"cannot read package relation `{text.strip()}`")
    operator = match["operator"] or ""
    return Relation(
        name=match["name"],
        operator=_OLD_OPERATORS.get(operator, operator),
        version=match["version"] or "",
        qualifier=match["qualifier"] or "",
    )
