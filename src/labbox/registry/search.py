"""Searching a registry for images, by whatever it offers: docker's search, Harbor's, zot's, else its catalogue."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlencode

from labbox.errors import LabboxError, RegistryError
from labbox.oci.reference import DEFAULT_DOMAIN
from labbox.registry.answer import AnswerError
from labbox.registry.repository import read_pages
from labbox.registry.session import Session

_HUB_SEARCH = "https://index.docker.io/v1/search"
_BODY_BYTES = 16 << 20
_CATALOGUE_SCOPE = "registry:catalog:*"
# What a server answers that has no such thing, or has it for others only.
_ABSENT = frozenset({400, 401, 403, 404, 405, 500, 501})


class Finding(NamedTuple):
    """A repository that a search found; `name` is what one pulls."""

    name: str
    description: str = ""
    stars: int = 0
    is_official: bool = False
    is_automated: bool = False


class Findings(NamedTuple):
    """What was found, and by which means (`search`, `harbor`, `zot`, `catalogue`)."""

    means: str
    found: tuple[Finding, ...]


def search_registry(session: Session, term: str, limit: int) -> Findings:
    """The repositories that fit a term, the server's best first; RegistryError when nothing can be searched."""
    if session.registry.domain == DEFAULT_DOMAIN:
        return Findings("search", tuple(_search_docker(session, _HUB_SEARCH, term, limit)))
    refusal: LabboxError | None = None
    for means, search in _MEANS.items():
        try:
            found = search(session, term, limit)
        except AnswerError as error:
            if error.status not in _ABSENT:
                raise
            refusal = error
        except (KeyError, TypeError, ValueError) as error:  # a page for people, or another protocol
            refusal = RegistryError(f"registry `{session.registry.domain}` cannot be searched: {error}")
        else:
            named = (finding._replace(name=f"{session.registry.domain}/{finding.name}") for finding in found)
            return Findings(means, tuple(named)[:limit])
    assert refusal is not None
    raise refusal


def _search_v1(session: Session, term: str, limit: int) -> list[Finding]:
    return _search_docker(session, "/v1/search", term, limit)


def _search_docker(session: Session, target: str, term: str, limit: int) -> list[Finding]:
    document = _ask(session, f"{target}?{urlencode({'q': term, 'n': limit})}")
    return [
        Finding(
            name=str(entry["name"]),
            description=str(entry.get("description") or ""),
            stars=int(entry.get("star_count") or 0),
            is_official=bool(entry.get("is_official")),
            is_automated=bool(entry.get("is_automated")),
        )
        for entry in document["results"] or []
    ]


def _search_harbor(session: Session, term: str, _limit: int) -> list[Finding]:
    document = _ask(session, f"/api/v2.0/search?{urlencode({'q': term})}")
    return [
        Finding(str(entry["repository_name"]), f"{entry.get('artifact_count', 0)} artifacts in {entry['project_name']}")
        for entry in document["repository"] or []
    ]


def _search_zot(session: Session, term: str, limit: int) -> list[Finding]:
    query = (
        f"{{GlobalSearch(query:{json.dumps(term)},requestedPage:{{limit:{limit},offset:0}})"
        "{Repos{Name StarCount NewestImage{Description}}}}"
    )
    document = _ask(session, f"/v2/_zot/ext/search?{urlencode({'query': query})}")
    return [
        Finding(
            str(entry["Name"]),
            str((entry.get("NewestImage") or {}).get("Description") or ""),
            int(entry.get("StarCount") or 0),
        )
        for entry in document["data"]["GlobalSearch"]["Repos"] or []
    ]


def _search_catalogue(session: Session, term: str, limit: int) -> list[Finding]:
    found: list[Finding] = []
    for name in read_pages(session, "/v2/_catalog", "repositories", [_CATALOGUE_SCOPE]):
        if term.lower() in name:
            found.append(Finding(name))
        if len(found) >= limit:
            break
    return found


_MEANS: dict[str, Callable[[Session, str, int], list[Finding]]] = {
    "search": _search_v1,
    "harbor": _search_harbor,
    "zot": _search_zot,
    "catalogue": _search_catalogue,
}


def _ask(session: Session, target: str) -> Any:
    with session.open("GET", target, scopes=[_CATALOGUE_SCOPE], headers={"Accept": "application/json"}) as answer:
        return json.loads(answer.read(_BODY_BYTES))
