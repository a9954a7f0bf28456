"""The files that a Python package index has of a project (PEP 503, PEP 691), for what uv does not resolve."""

import json
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import Any, NamedTuple
from urllib.parse import urldefrag, urljoin, urlsplit

from labbox.errors import DownloadError
from labbox.packages.patience import Patience
from labbox.packages.transport import StatusError, Transport, without_login

DEFAULT_INDEX = "https://pypi.org/simple"
_PAGE_BYTES = 64 << 20
_MAIN_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
_MORE_VARIABLES = ("UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL")
_UNKNOWN = (404, 403, 410)


class IndexFile(NamedTuple):
    """A file of a project: where it is, its sha256 (empty when the index does not say), and for which Pythons."""

    name: str
    url: str
    sha256: str = ""
    requires_python: str = ""
    yanked: bool = False


def choose_indexes(environment: Mapping[str, str], own: Sequence[str] = ()) -> tuple[str, ...]:
    """The indexes to ask, the main one first: those of the user's environment as uv and pip know it, and `own`."""
    main = next((environment[name] for name in _MAIN_VARIABLES if environment.get(name)), DEFAULT_INDEX)
    more = [word for name in _MORE_VARIABLES for word in environment.get(name, "").split()]
    addresses = [re.sub(r"^[A-Za-z0-9._-]+=", "", word) for word in (main, *more, *own)]  # uv lets them have names
    return tuple(dict.fromkeys(addresses))


def list_files(indexes: Sequence[str], project: str, transport: Transport, patience: Patience) -> list[IndexFile]:
    """Every file of a project (normalised name) on the indexes that speak HTTP; none when no index knows it.

    Raises DownloadError when an index cannot be reached.
    """
    found: list[IndexFile] = []
    for index in indexes:
        if urlsplit(index).scheme in ("http", "https"):
            url = f"{without_login(index).rstrip('/')}/{project}/"
            page = patience.first_success(
                [url], lambda url: _read_page(transport, url), label=f"the index of {project}"
            )
            found += parse_page(page, url)
    return found


def parse_page(page: bytes, url: str) -> list[IndexFile]:
    """The files on a project's page, HTML or JSON; DownloadError when it is neither."""
    text = page.decode("utf-8", "replace")
    if text.lstrip().startswith("{"):
        try:
            return [_read_entry(entry, url) for entry in json.loads(text)["files"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DownloadError(f"`{url}` is no page of a package index: {error}") from error
    parser = _PageParser(url)
    parser.feed(text)
    parser.close()
    return parser.files


def _read_page(transport: Transport, url: str) -> bytes:
    try:
        return transport.read(url, limit=_PAGE_BYTES)
    except StatusError as error:
        if error.status in _UNKNOWN:
            return b""
        raise


def _read_entry(entry: Mapping[str, Any], url: str) -> IndexFile:
    return IndexFile(
        name=str(entry["filename"]),
        url=urljoin(url, str(entry["url"])),
        sha256=str(entry.get("hashes", {}).get("sha256", "")),
        requires_python=str(entry.get("requires-python") or ""),
        yanked=bool(entry.get("yanked")),
    )


class _PageParser(HTMLParser):
    """Collects the links of a page; a link's text is the file's name, its fragment the hash."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.files: list[IndexFile] = []
        self._url = url

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag != "a" or not values.get("href"):
            return
        url, fragment = urldefrag(urljoin(self._url, values["href"] or ""))
        self.files.append(
            IndexFile(
                name=urlsplit(url).path.rpartition("/")[2],
                url=url,
                sha256=fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else "",
                requires_python=values.get("data-requires-python") or "",
                yanked="data-yanked" in values,
            )
        )
