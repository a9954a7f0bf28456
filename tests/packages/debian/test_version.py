import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labbox.packages.debian.version import compare_versions, satisfies

_VERSIONS = st.from_regex(r"([0-2]:)?[0-9][0-9a-c.+~]{0,6}(-[0-9a-c+.~]{1,4})?", fullmatch=True)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.0", "1.1"),
        ("1.9", "1.10"),
        ("1.0~rc1", "1.0"),
        ("1.0~~", "1.0~"),
        ("1.0", "1.0a"),
        ("1.0a", "1.0+"),
        ("2.0", "1:1.0"),
        ("1.0-1", "1.0-2"),
        ("1.0-1", "1.0-1+b1"),
        ("1.0-9", "1.0-10"),
        ("1.0", "1.0-0.1"),
        ("13.8+deb13u6", "13.8+deb13u7"),
        ("0:1.0-1~bpo1", "1.0-1"),
        ("1.2-3-4", "1.2-3-5"),
    ],
)
def test_versions_are_ordered_as_policy_says(older: str, newer: str) -> None:
    assert compare_versions(older, newer) < 0 < compare_versions(newer, older)


@pytest.mark.parametrize(("first", "second"), [("1.0", "0:1.0"), ("1.0-0", "1.0"), ("1.00", "1.0"), ("1.a01", "1.a1")])
def test_different_spellings_of_one_version_are_equal(first: str, second: str) -> None:
    assert compare_versions(first, second) == 0


@given(_VERSIONS, _VERSIONS)
def test_comparing_backwards_gives_the_opposite(first: str, second: str) -> None:
    there, back = compare_versions(first, second), compare_versions(second, first)
    assert (there > 0) == (back < 0)
    assert (there == 0) == (back == 0)


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed")
@settings(max_examples=60, deadline=None)
@given(_VERSIONS, _VERSIONS)
def test_dpkg_agrees(first: str, second: str) -> None:
    is_older = subprocess.run(["dpkg", "--compare-versions", first, "lt", second], check=False).returncode == 0
    assert is_older == (compare_versions(first, second) < 0)


@pytest.mark.parametrize(
    ("version", "operator", "wanted", "expected"),
    [
        ("2", ">=", "2", True),
        ("2", ">>", "2", False),
        ("1", "<<", "2", True),
        ("2", "<=", "2", True),
        ("2", "=", "2.0", False),
        ("2", "", "", True),
    ],
)
def test_relations_between_versions_hold_or_not(version: str, operator: str, wanted: str, expected: object) -> None:
    assert satisfies(version, operator, wanted) is expected
