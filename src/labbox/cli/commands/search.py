"""`labbox search`."""

import os

from labbox.cli.filters import parse_filter
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.listing import FILTER_FLAG, FORMAT_FLAG, JSON_FLAG, Field, Listing, render_listing
from labbox.cli.output import note, print_json
from labbox.errors import LabboxError, UsageError
from labbox.lightweight_typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from labbox.registry.search import Finding

_LIMIT = 25
_MOST = 100
_SHOWN_CHARACTERS = 45
_SWITCHES = {"true": True, "1": True, "false": False, "0": False}

COMMAND = Command(
    name="search",
    usage="TERM",
    summary="Search Docker Hub or another registry for images",
    flags=(
        FILTER_FLAG,
        FORMAT_FLAG,
        Flag("insecure", "", "Speak to the registry without TLS, or with any certificate"),
        JSON_FLAG,
        Flag("limit", "int", "Max number of search results", default=str(_LIMIT)),
        Flag("no-trunc", "", "Don't truncate output"),
    ),
    minimum=1,
    maximum=1,
    description="TERM is a part of a name (numpy), or of one on another registry (ghcr.io/numpy).",
)


class _Row(NamedTuple):
    finding: "Finding"
    truncated: bool

    @property
    def description(self) -> str:
        text = " ".join(self.finding.description.split())
        is_cut = self.truncated and len(text) > _SHOWN_CHARACTERS
        return text[: _SHOWN_CHARACTERS - 1] + "…" if is_cut else text


LISTING = Listing(
    {
        "Name": Field("NAME", lambda row: row.finding.name),
        "Description": Field("DESCRIPTION", lambda row: row.description),
        "StarCount": Field("STARS", lambda row: str(row.finding.stars)),
        "IsOfficial": Field("OFFICIAL", lambda row: "[OK]" if row.finding.is_official else ""),
        "IsAutomated": Field("AUTOMATED", lambda row: "[OK]" if row.finding.is_automated else ""),
    },
    "Name Description StarCount IsOfficial IsAutomated",
)


def execute(arguments: Arguments) -> int:
    """Print what was found, the server's best first."""
    from labbox.actions.search import search_images

    term, limit = arguments.positionals[0], arguments.number("limit") or _LIMIT
    if not 1 <= limit <= _MOST:
        raise LabboxError(f"invalid limit: {limit} is outside of [1, {_MOST}]")
    pairs = arguments.values("filter", parse_filter)
    findings = search_images(term, os.environ, limit=limit, is_insecure=arguments.switch("insecure"))
    found = [finding for finding in findings.found if all(_fits(finding, *pair) for pair in pairs)]
    if arguments.switch("json"):
        print_json([finding._asdict() for finding in found])
        return 0
    if findings.means == "catalogue":
        note("This registry has no search: these are the names in its catalogue that contain the term.")
    rows = [_Row(finding, not arguments.switch("no-trunc")) for finding in found]
    print(render_listing(LISTING, rows, arguments.text("format")), end="")
    return 0


def _fits(finding: "Finding", key: str, value: str) -> bool:
    if key == "stars" and value.isdigit():
        return finding.stars >= int(value)
    if key == "is-official" and value in _SWITCHES:
        return finding.is_official == _SWITCHES[value]
    if key == "is-automated" and value in _SWITCHES:
        return finding.is_automated == _SWITCHES[value]
    raise UsageError(f"invalid filter '{key}={value}'", hint="filters are stars=N, is-official=BOOL, is-automated=BOOL")
