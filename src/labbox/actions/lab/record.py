"""What this machine remembers of a project folder's lab: `labs/<key>/` in labbox's data folder.

    lab.json    the record: folder, name, container, image, ports
    lock        held by the one command that changes the lab
    run/        mounted at /run/labbox: token, certificates, the services' state and logs

The key is made of the folder's real path, so that a lab is found again from wherever one comes.
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from labbox.errors import NotFoundError
from labbox.files import locked, make_private_folder, read_json, try_lock, write_atomic, write_json
from labbox.settings import Settings

_VERSION = 1
_KEY_DIGITS = 16
_TOKEN_BYTES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class LabRecord:
    """A lab as its last `up` left it.

    `given_name` is the name that `up --name` gave it ("" for none). `ports` are host ports by service, kept so that
    links stay the same.
    """

    folder: str
    name: str
    given_name: str = ""
    container_id: str = ""
    image: str = ""
    image_id: str = ""
    image_key: str = ""
    derived: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabFolder:
    """The folder of a lab in labbox's data."""

    path: str

    @property
    def run(self) -> str:
        """What the lab's container sees at /run/labbox."""
        return os.path.join(self.path, "run")

    @property
    def logs(self) -> str:
        """One file per service."""
        return os.path.join(self.run, "logs")

    @property
    def status(self) -> str:
        """The state of the services, written by the supervisor."""
        return os.path.join(self.run, "status.json")

    def token(self) -> str:
        """The secret by which JupyterLab knows its owner; made once per lab."""
        path = os.path.join(self.run, "token")
        try:
            with open(path, encoding="ascii") as file:
                return file.read().strip()
        except FileNotFoundError:
            self.make()
            token = secrets.token_hex(_TOKEN_BYTES)
            write_atomic(path, token.encode() + b"\n")
            return token

    def make(self) -> None:
        """Make the folders where they are missing."""
        make_private_folder(self.logs)

    def forget_status(self) -> None:
        """Remove what the services of an earlier start said."""
        with suppress(FileNotFoundError):
            os.unlink(self.status)

    def read(self) -> LabRecord | None:
        """The record, or None where the lab has never been up, or its record is damaged."""
        try:
            document: dict[str, Any] = read_json(os.path.join(self.path, "lab.json"))
            if document.pop("version") != _VERSION:
                return None
            return LabRecord(**{**document, "derived": tuple(document["derived"])})
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, record: LabRecord) -> None:
        """Replace the record."""
        write_json(os.path.join(self.path, "lab.json"), {"version": _VERSION, **asdict(record)})

    @contextmanager
    def changing(self, when_busy: Callable[[], None]) -> Iterator[None]:
        """Hold the lab alone; `when_busy` is called when another command has it and one has to wait."""
        self.make()
        path = os.path.join(self.path, "lock")
        lock = try_lock(path)
        if lock is not None:
            try:
                yield
            finally:
                os.close(lock)
            return
        when_busy()
        with locked(path):
            yield


def lab_folder(settings: Settings, project: str) -> LabFolder:
    """The lab's folder for a project folder (which need not have had a lab yet)."""
    key = hashlib.sha256(os.fsencode(os.path.realpath(project))).hexdigest()[:_KEY_DIGITS]
    return LabFolder(path=os.path.join(settings.data_dir, "labs", key))


def find_lab(settings: Settings, start: str, *, upwards: bool = True) -> tuple[LabFolder, LabRecord]:
    """The lab of a folder or (`upwards`) of the nearest one above it that has a lab; NotFoundError for none."""
    project = os.path.realpath(start)
    while True:
        lab = lab_folder(settings, project)
        record = lab.read()
        if record is not None:
            return lab, record
        parent = os.path.dirname(project)
        if parent == project or not upwards:
            raise NotFoundError(f"no lab in `{os.path.abspath(start)}`", hint="start one there with `labbox up`")
        project = parent


def every_lab(settings: Settings) -> Iterator[tuple[LabFolder, LabRecord]]:
    """Every lab of this user on this machine."""
    folder = os.path.join(settings.data_dir, "labs")
    try:
        keys = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    for key in keys:
        lab = LabFolder(path=os.path.join(folder, key))
        record = lab.read()
        if record is not None:
            yield lab, record
