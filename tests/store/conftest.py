"""Stores of several people."""

import os
import tempfile
from collections.abc import Iterator

import pytest

from harness.workplace import Workplace
from labbox.files import remove_tree
from store.people import Keeper


@pytest.fixture
def keeper(mode: str, workplace: Workplace) -> Iterator[Keeper]:
    """A person with an empty store, in each identity mode."""
    try:
        person = workplace._person_for(mode)
    except LookupError as error:
        pytest.skip(str(error))
    folder = tempfile.mkdtemp(prefix="keeper-", dir=workplace.folder)
    os.chmod(folder, 0o755)
    os.chown(folder, person.uid, person.gid)
    made = Keeper(person, mode, folder)
    yield made
    if os.geteuid() == 0:
        remove_tree(folder)
    else:
        made.run(lambda layers, _: layers.remove_tree(folder))
