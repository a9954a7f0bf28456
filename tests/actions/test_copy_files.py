"""Where a copy lands, by docker's table (docs.docker.com/reference/cli/docker/container/cp)."""

import os
from pathlib import Path

import pytest

from labbox.actions.copy_files import Landing, Place, choose_landing, produced
from labbox.errors import LabboxError, NotFoundError

FOLDER = Place(exists=True, is_folder=True, parent_exists=True)
FILE = Place(exists=True, is_folder=False, parent_exists=True)
NOTHING = Place(exists=False, is_folder=False, parent_exists=True)
NOWHERE = Place(exists=False, is_folder=False, parent_exists=False)


@pytest.mark.parametrize(
    ("source", "is_folder", "target", "place", "landing"),
    [
        ("a/f", False, "/t", FOLDER, Landing("/t", "f")),
        ("a/f", False, "/t/x", FILE, Landing("/t", "x")),
        ("a/f", False, "/t/x", NOTHING, Landing("/t", "x")),
        ("a/f", False, "x", NOTHING, Landing(".", "x")),
        ("a/d", True, "/t", FOLDER, Landing("/t", "d")),
        ("a/d/", True, "/t", FOLDER, Landing("/t", "d")),
        ("a/d/.", True, "/t", FOLDER, Landing("/t", "")),
        (".", True, "/t", FOLDER, Landing("/t", "")),
        ("a/d", True, "/t/x", NOTHING, Landing("/t", "x")),
        ("a/d/.", True, "/t/x/", NOTHING, Landing("/t", "x")),
    ],
)
def test_a_copy_lands_where_docker_puts_it(
    source: str, is_folder: bool, target: str, place: Place, landing: Landing  # noqa: FBT001
) -> None:  # fmt: skip
    assert choose_landing(source, is_folder, target, place) == landing


@pytest.mark.parametrize(
    ("source", "is_folder", "target", "place", "message"),
    [
        ("d", True, "/t/f", FILE, "cannot copy directory `d` onto file `/t/f`"),
        ("f", False, "/t/f/", FILE, "not a directory: `/t/f/`"),
        ("f", False, "/t/x/", NOTHING, "no such directory: `/t/x/`"),
        ("f", False, "/no/x", NOWHERE, 'invalid output path: directory "/no" does not exist'),
    ],
)
def test_a_copy_without_a_place_is_refused(
    source: str, is_folder: bool, target: str, place: Place, message: str  # noqa: FBT001
) -> None:  # fmt: skip
    with pytest.raises(LabboxError) as caught:
        choose_landing(source, is_folder, target, place)
    assert caught.value.message == message


def test_what_a_producer_writes_arrives_and_its_failure_too(tmp_path: Path) -> None:
    def write(descriptor: int) -> None:
        os.write(descriptor, b"some")
        raise NotFoundError("gone", hint="look")

    with pytest.raises(NotFoundError) as caught, produced(write) as stream:
        (tmp_path / "out").write_bytes(stream.read())
    assert caught.value.hint == "look"
    assert (tmp_path / "out").read_bytes() == b"some"
