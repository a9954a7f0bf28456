"""The bait: a folder of the host that no container may reach, looked at after every test."""

import os
from collections.abc import Iterator

import pytest

from harness.laboratory import Lab

SECRET = "the host's secret"


@pytest.fixture
def bait(lab: Lab) -> Iterator[str]:
    """A folder that belongs to the laboratory's person; it must still hold one file, unchanged, at the end."""
    folder = lab.folder("bait")
    secret = os.path.join(folder, "secret")
    with open(secret, "w", encoding="ascii") as file:
        file.write(SECRET)
    os.chown(secret, lab.person.uid, lab.person.gid)
    yield folder
    assert os.listdir(folder) == ["secret"]
    with open(secret, encoding="ascii") as file:
        assert file.read() == SECRET
