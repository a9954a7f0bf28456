"""Other users of the same machine: what they may prepare, read and change."""

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator

import pytest

from harness.laboratory import TINY, Lab
from labbox.engine.embedded.modes import choose_identity, find_identity
from labbox.processes import boot_id

NOBODY = 65534


@pytest.fixture
def shared() -> Iterator[str]:
    """A folder in which everybody may make things, as /tmp is."""
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o1777)
    yield folder
    shutil.rmtree(folder)


def prepared_by_another(shared: str, mode: str) -> str:
    """A runtime folder that somebody else made first, with an identity for us in it."""
    folder = os.path.join(shared, "labbox-0")
    os.mkdir(folder, 0o777)
    with open(os.path.join(folder, f"identity-auto-{os.geteuid()}.json"), "w", encoding="ascii") as file:
        json.dump({"boot_id": boot_id(), "identity": [mode, [[0, NOBODY, 1]], [[0, NOBODY, 1]]]}, file)
    return folder


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user")
def test_an_identity_that_another_user_left_in_the_runtime_folder_is_not_believed(shared: str) -> None:
    folder = prepared_by_another(shared, "single")
    for name in (folder, *(os.path.join(folder, entry) for entry in os.listdir(folder))):
        os.chown(name, NOBODY, NOBODY)
    before = os.listdir(folder)
    assert choose_identity(folder) == find_identity()
    assert os.listdir(folder) == before


def test_a_runtime_folder_that_others_may_write_to_is_not_believed(shared: str) -> None:
    folder = prepared_by_another(shared, "single")
    os.chmod(folder, 0o777)
    assert choose_identity(folder) == find_identity()


def test_a_runtime_folder_that_is_a_link_is_not_used(shared: str) -> None:
    elsewhere = os.path.join(shared, "elsewhere")
    os.mkdir(elsewhere, 0o700)
    os.symlink(elsewhere, os.path.join(shared, "labbox-0"))
    choose_identity(os.path.join(shared, "labbox-0"))
    assert os.listdir(elsewhere) == []


def test_an_identity_is_remembered_in_a_folder_of_our_own(shared: str) -> None:
    folder = os.path.join(shared, "new", "labbox")
    identity = choose_identity(folder)
    assert len(os.listdir(folder)) == 1
    assert choose_identity(folder) == identity


def test_nobody_else_can_enter_the_folder_of_images_and_containers(lab: Lab) -> None:
    lab.output("run", "--rm", TINY, "true")
    assert stat.S_IMODE(os.stat(os.path.join(lab.home, "data")).st_mode) == 0o700
