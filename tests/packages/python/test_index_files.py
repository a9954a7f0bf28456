import json

import pytest

from labbox.errors import DownloadError
from labbox.packages.python.index_files import DEFAULT_INDEX, IndexFile, choose_indexes, parse_page

_URL = "https://example.org/simple/six/"


def test_a_page_in_html_is_read() -> None:
    page = (
        b'<a href="../../files/six-1.0.tar.gz#sha256=ab" data-requires-python="&gt;=2.7">six-1.0.tar.gz</a>'
        b'<a href="https://f.org/six-2.0-py3-none-any.whl" data-yanked="broken">six 2</a><a>nothing</a>'
    )
    assert parse_page(page, _URL) == [
        IndexFile("six-1.0.tar.gz", "https://example.org/files/six-1.0.tar.gz", "ab", ">=2.7"),
        IndexFile("six-2.0-py3-none-any.whl", "https://f.org/six-2.0-py3-none-any.whl", "", "", yanked=True),
    ]


def test_a_page_in_json_is_read() -> None:
    files = [{"filename": "six-1.0.tar.gz", "url": "six-1.0.tar.gz", "hashes": {"sha256": "ab"}, "yanked": False}]
    assert parse_page(json.dumps({"files": files}).encode(), _URL) == [
        IndexFile("six-1.0.tar.gz", f"{_URL}six-1.0.tar.gz", "ab")
    ]


def test_other_json_is_no_page() -> None:
    with pytest.raises(DownloadError, match="is no page of a package index"):
        parse_page(b'{"error": 1}', _URL)


def test_the_users_indexes_are_asked_and_then_the_labs() -> None:
    environment = {"PIP_INDEX_URL": "https://a/simple", "UV_INDEX": "mine=https://b/simple?x=1 https://c/simple"}
    assert choose_indexes(environment, ["https://d", "https://c/simple"]) == (
        "https://a/simple", "https://b/simple?x=1", "https://c/simple", "https://d",
    )  # fmt: skip
    assert choose_indexes({}) == (DEFAULT_INDEX,)
