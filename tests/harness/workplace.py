"""The folder of one test session: a readable copy of labbox, the tiny image, and a laboratory per mode."""

import compileall
import os
import re
import shutil
import subprocess
import sys
import tempfile

import pytest

import labbox
from harness.dependencies import copy_dependencies
from harness.laboratory import TINY, Installation, Lab
from harness.people import (
    Person,
    current_person,
    has_subordinate_ids,
    make_person,
    remove_forgotten_people,
    remove_person,
)
from labbox.testing.tiny_image import write_tiny_image

_DOWNLOADS = ("debian", "debs", "wheels")
_FOLDER = re.compile(r"lbt-(\d+)-")
MODES = ("root", "subuid", "single")


class Workplace:
    """Makes what the session needs when it is first asked for, and removes it in the end."""

    def __init__(self) -> None:
        _remove_forgotten_folders()
        self.folder = tempfile.mkdtemp(prefix=f"lbt-{os.getpid()}-", dir="/tmp")  # short: a socket's path has 108 bytes
        os.chmod(self.folder, 0o755)
        self._source = os.path.join(self.folder, "source")
        shutil.copytree(
            os.path.dirname(labbox.__file__),
            os.path.join(self._source, "labbox"),
            ignore=shutil.ignore_patterns(".*_cache"),
        )
        copy_dependencies(self._source)
        compileall.compile_dir(self._source, quiet=2)  # ordinary users could not keep what they compile
        self.archive = os.path.join(self.folder, "tiny.tar")
        with open(self.archive, "wb") as file:
            write_tiny_image(file)
        for parent, _, names in os.walk(self.folder):
            for path in (parent, *(os.path.join(parent, name) for name in names)):
                os.chmod(path, 0o755 if os.path.isdir(path) or os.access(path, os.X_OK) else 0o644)
        self._people: list[Person] = []
        self._labs: list[Lab] = []

    def close(self) -> None:
        """Remove everything."""
        for lab in self._labs:
            if os.geteuid() == 0:
                shutil.rmtree(lab.home)
            else:
                lab.remove()
        shutil.rmtree(self.folder)
        for person in self._people:
            remove_person(person)

    def make_lab(self, mode: str, name: str = "") -> Lab:
        """A laboratory in a mode, with the tiny image; LookupError saying why when the mode is not possible here."""
        person = self._person_for(mode)
        lab = Lab(self._installation_for(person), person, os.path.join(self.folder, name or mode), mode)
        if os.geteuid() != 0:
            lab.environment["LABBOX_MODE"] = mode
        os.mkdir(lab.home, 0o755)
        os.chown(lab.home, person.uid, person.gid)
        self._labs.append(lab)
        imported = lab("import", self.archive, TINY)
        if imported.returncode != 0:
            pytest.exit(f"labbox cannot import an image in mode {mode}: {imported.stderr}")
        return lab

    def downloads_for(self, person: Person) -> dict[str, str]:
        """Variables that make labbox and uv keep what they download here, per person; nothing is fetched twice."""
        folder = os.path.join(self.folder, f"downloads-{person.name}")
        if not os.path.isdir(folder):
            others = [name for name in os.listdir(self.folder) if name.startswith("downloads-")]
            _copy_downloads(os.path.join(self.folder, others[0]) if others else None, folder, person)
        return {"LABBOX_CACHE": f"{folder}/labbox", "UV_CACHE_DIR": f"{folder}/uv"}

    def _person_for(self, mode: str) -> Person:
        if os.geteuid() != 0:
            return _this_person(mode)
        if mode == "root":
            return current_person()
        if mode == "subuid" and shutil.which("newuidmap") is None:
            raise LookupError("newuidmap is not installed (Debian package uidmap)")
        known = [person for person in self._people if has_subordinate_ids(person.name) == (mode == "subuid")]
        if known:
            return known[0]
        remove_forgotten_people()
        person = make_person("u" if mode == "subuid" else "s", subordinate_ids=mode == "subuid")
        self._people.append(person)
        return person

    def _installation_for(self, person: Person) -> Installation:
        candidates = [sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"]
        for python in dict.fromkeys(os.path.realpath(path) if person.uid else path for path in candidates):
            if _can_execute(person, python):
                return Installation(self._source, python, self.archive)
        raise LookupError(f"no Python from 3.11 on that user {person.name} may execute")


def _copy_downloads(source: str | None, target: str, person: Person) -> None:
    """A folder of downloads for a person, with those that another person has made; nothing that was computed."""
    os.mkdir(target, 0o700)
    for name in _DOWNLOADS:
        if source and os.path.isdir(f"{source}/labbox/{name}"):
            shutil.copytree(f"{source}/labbox/{name}", f"{target}/labbox/{name}")
    for parent, folders, files in os.walk(target):
        for path in (parent, *(os.path.join(parent, name) for name in (*folders, *files))):
            os.chown(path, person.uid, person.gid)


def _remove_forgotten_folders() -> None:
    """Delete the folders of sessions that were killed, as far as they are this user's to delete."""
    for name in os.listdir("/tmp"):
        match = _FOLDER.match(name)
        if match and not os.path.exists(f"/proc/{match[1]}"):
            shutil.rmtree(os.path.join("/tmp", name), ignore_errors=True)


def _this_person(mode: str) -> Person:
    person = current_person()
    if mode == "root":
        raise LookupError("mode root needs root")
    if mode == "subuid" and not (has_subordinate_ids(person.name) and shutil.which("newuidmap")):
        raise LookupError(f"user {person.name} has no subordinate ids, or newuidmap is not installed")
    return person


def _can_execute(person: Person, python: str) -> bool:
    options = {"user": person.uid, "group": person.gid, "extra_groups": []} if os.geteuid() == 0 else {}
    try:
        done = subprocess.run(
            [python, "-I", "-c", "import ctypes, sys; sys.exit(sys.version_info < (3, 11))"],
            check=False, capture_output=True, cwd="/", **options,  # type: ignore[call-overload]
        )  # fmt: skip
    except OSError:
        return False
    return bool(done.returncode == 0)
