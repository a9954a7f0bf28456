"""Registries that can search, each in its own way."""

from typing import Any

import pytest

from labbox.errors import RegistryError
from labbox.registry.address import RegistryAddress
from labbox.registry.search import Findings, search_registry
from labbox.registry.session import Session
from labbox.registry.waiting import Waiting
from registry.fake_registry import FakeRegistry, Fault, answer_with

V1 = {
    "results": [
        {"name": "lab/numpy", "description": "arrays", "star_count": 7, "is_official": True, "is_automated": False},
        {"name": "lab/numpy-old", "description": None, "star_count": 0, "is_official": False, "is_automated": True},
    ]
}
HARBOR = {"repository": [{"repository_name": "lab/numpy", "project_name": "lab", "artifact_count": 3}]}
ZOT = {"data": {"GlobalSearch": {"Repos": [{"Name": "lab/numpy", "StarCount": 2, "NewestImage": None}]}}}
CATALOGUE = {"repositories": ["lab/numpy", "lab/scipy"]}


def search(fake: FakeRegistry, term: str = "numpy") -> Findings:
    with Session(RegistryAddress(fake.host), None, Waiting(factor=0.01)) as session:
        return search_registry(session, term, 25)


@pytest.mark.parametrize(
    ("means", "path", "document"),
    [
        ("search", "/v1/search", V1),
        ("harbor", "/api/v2.0/search", HARBOR),
        ("zot", "/v2/_zot/ext/search", ZOT),
        ("catalogue", "/v2/_catalog", CATALOGUE),
    ],
)
def test_the_best_means_that_a_registry_has_is_used(fake: FakeRegistry, means: str, path: str, document: Any) -> None:
    fake.documents[path] = document

    findings = search(fake)

    assert findings.means == means
    assert findings.found[0].name == f"{fake.host}/lab/numpy"


def test_what_dockers_search_says_is_kept(fake: FakeRegistry) -> None:
    fake.documents["/v1/search"] = V1

    first, second = search(fake).found

    assert (first.description, first.stars, first.is_official, first.is_automated) == ("arrays", 7, True, False)
    assert (second.description, second.stars, second.is_official, second.is_automated) == ("", 0, False, True)


def test_a_page_for_people_is_no_search(fake: FakeRegistry) -> None:
    fake.documents["/v2/_catalog"] = CATALOGUE
    fake.faults.append(Fault("GET", "/v1/search", answer_with(200, b"<html>")))

    assert search(fake).means == "catalogue"


def test_a_registry_without_any_search_is_told(fake: FakeRegistry) -> None:
    with pytest.raises(RegistryError, match="404 Not Found"):
        search(fake)


def test_a_term_cannot_leave_its_query(fake: FakeRegistry) -> None:
    fake.documents["/v2/_zot/ext/search"] = ZOT

    search(fake, 'x",limit:9){evil}')

    assert "%5C%22" in fake.seen("GET", "/_zot/")[0].path
