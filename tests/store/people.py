"""Work done as another user, in a child process: what a store does as root must hold for everyone."""

import os
import pickle
import traceback
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from harness.people import Person
from labbox.linux.idmap import (
    Identity,
    read_subordinate_ranges,
    root_identity,
    single_identity,
    subuid_identity,
)
from labbox.store.images import ImageStore
from labbox.store.layers import LayerStore

Result = TypeVar("Result")


class Keeper(NamedTuple):
    """A person in one identity mode, with a folder for a store."""

    person: Person
    mode: str
    folder: str

    @property
    def store_dir(self) -> str:
        """Where the person's store is."""
        return os.path.join(self.folder, "store")

    def run(self, function: Callable[[LayerStore, ImageStore], Result]) -> Result:
        """Call a function as the person, with the person's store."""
        return run_as(
            self.person,
            lambda: function(LayerStore(self.store_dir, self._identity()), ImageStore(self.store_dir)),
        )

    def _identity(self) -> Identity:
        if self.mode == "root":
            return root_identity()
        if self.mode == "single":
            return single_identity()
        name, uid = self.person.name, self.person.uid
        return subuid_identity(
            read_subordinate_ranges("/etc/subuid", name, uid), read_subordinate_ranges("/etc/subgid", name, uid)
        )


def run_as(person: Person, function: Callable[[], Result]) -> Result:
    """Call a function in a child process that belongs to a person; what it returns or raises comes back."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            if os.geteuid() == 0 and person.uid != 0:
                os.setgroups([])
                os.setresgid(person.gid, person.gid, person.gid)
                os.setresuid(person.uid, person.uid, person.uid)
            answer = _call(function)
            with open(writer, "wb") as pipe:
                pipe.write(answer)
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    succeeded, value = pickle.loads(answer)
    if not succeeded:
        raise value
    result: Result = value
    return result


def _call(function: Callable[[], object]) -> bytes:
    try:
        return pickle.dumps((True, function()))
    except BaseException as error:  # noqa: BLE001  (raised again in the parent)
        error.add_note("".join(traceback.format_exception(error)))
        return pickle.dumps((False, error))
