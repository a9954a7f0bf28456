"""A user, a project folder and a lock with a system in it, so that only Python packages are to be resolved."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from labbox.actions.lock_lab import LockRequest, LockUpdate, update_lock
from labbox.actions.read_definition import read_definition
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.lock.lab import LabLock
from labbox.lock.lab_file import read_lab_lock, write_lab_lock
from labbox.lock.upgrade import Upgrade
from labbox.settings import load_settings
from lock.labs import make_lab_lock

# No services and no kernel: an index of test wheels has neither.
LABBOX_FILE = """\
[packages]
python = ["a"]  # the first

[services]
jupyter = false
tensorboard = false
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Locking:
    """Locks one project folder."""

    engine: EmbeddedEngine
    folder: Path
    environment: Mapping[str, str]

    def lock(self, *, frozen: bool = False, upgrade: Upgrade | None = None) -> LockUpdate:
        """Lock the folder as it is now."""
        request = LockRequest(
            project=str(self.folder),
            definition=read_definition(str(self.folder)),
            frozen=frozen,
            upgrade=upgrade or Upgrade(),
        )
        return update_lock(self.engine, request, self.environment)

    def written(self) -> LabLock:
        """The lock in the folder."""
        return read_lab_lock(str(self.folder / "labbox.lock"))

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        (self.folder / name).write_text(text)

    def versions(self) -> dict[str, str]:
        """The locked Python packages, without pip."""
        return {wheel.name: wheel.version for wheel in self.written().packages if wheel.name != "pip"}


def start_locking(folder: Path, home: Path, environment: Mapping[str, str]) -> Locking:
    """A folder with a labbox.toml and an outdated lock whose system fits; no Debian archive can be reached."""
    own = {**environment, "LABBOX_HOME": str(home), "LABBOX_DEBIAN_MIRROR": "http://127.0.0.1:9/debian"}
    settings = load_settings(own)
    os.makedirs(settings.data_dir)
    (folder / "labbox.toml").write_text(LABBOX_FILE)
    old = replace(make_lab_lock(), additions=(), packages=())
    write_lab_lock(str(folder / "labbox.lock"), old)
    return Locking(engine=EmbeddedEngine(settings, own), folder=folder, environment=own)
