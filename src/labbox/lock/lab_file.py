"""The file `labbox.lock`: a lab's lock as JSON, one package a line. docs/formats describes it."""

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from labbox.errors import NotFoundError, UsageError
from labbox.files import write_atomic
from labbox.lock.lab import FORMAT, LabLock, LockedImage, LockedInterpreter, LockedSource, LockedWheel
from labbox.lock.system import LockedDeb, SystemLock, format_deb, format_system_lock, read_debs, read_system
from labbox.lock.table import Table

FILE_NAME = "labbox.lock"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
_LANGUAGE = re.compile(r"\d+\.\d+(\.\d+)?[a-z0-9+]*")
_PROGRAM = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9_.+\-]*)+")
_ABI = re.compile(r"cp\d+[a-z]*")
_PROJECT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_VERSION = re.compile(r"[A-Za-z0-9.+!_\-]+")
_WHEEL = re.compile(r"[A-Za-z0-9_.+!]+(-[A-Za-z0-9_.+!]+){4,5}\.whl")
_ADDRESS = re.compile(r"(https?|file)://\S+")


def write_lab_lock(path: str, lock: LabLock) -> None:
    """Write the lock, whole or not at all."""
    write_atomic(path, format_lab_lock(lock).encode(), mode=0o644)


def read_lab_lock(path: str) -> LabLock:
    """Read a lock; UsageError lists every fault with its place, NotFoundError says that there is none."""
    try:
        with open(path, "rb") as file:
            text = file.read()
    except FileNotFoundError as error:
        raise NotFoundError(
            f"there is no lock `{path}`", hint="Write one with `labbox lock`, or start with `labbox up`."
        ) from error
    except OSError as error:
        raise UsageError(f"cannot read lock `{path}`: {error.strerror}") from error
    return parse_lab_lock(text, where=os.path.basename(path))


def format_lab_lock(lock: LabLock) -> str:
    """The text of a lock file: keys in a fixed order, packages by name, one line each."""
    head = {
        "format": FORMAT,
        "layout": lock.layout,
        "request": lock.request,
        "python_request": lock.python_request,
        "platform": lock.platform,
        "epoch": lock.epoch,
        "locked_at": lock.locked_at,
        "layer_threshold": lock.layer_threshold,
        "interpreter": asdict(lock.interpreter),
        "services_interpreter": asdict(lock.services_interpreter),
    }
    members = [f' "{key}": {json.dumps(value)}' for key, value in head.items() if value != ""]
    members += [
        _list("packages", [_format_wheel(wheel) for wheel in lock.packages]),
        _list("services", [_format_wheel(wheel) for wheel in lock.services]),
        f' "system": {_format_system(lock.system)}',
        _list("additions", [format_deb(deb) for deb in lock.additions]),
    ]
    return "{\n" + ",\n".join(members) + "\n}\n"


def parse_lab_lock(text: bytes, *, where: str) -> LabLock:
    """The lock in the text of a lock file; UsageError lists every fault with its place."""
    table = Table(_load(text, where), "", [])
    lock = LabLock(
        request=table.text("request", _SHA256),
        layout=table.number("layout"),
        platform=table.text("platform"),
        epoch=table.number("epoch"),
        locked_at=table.text("locked_at", _DATE),
        layer_threshold=table.number("layer_threshold"),
        python_request=table.text("python_request", _SHA256) if "python_request" in table.values else "",
        interpreter=_read_interpreter(table.table("interpreter")),
        services_interpreter=_read_interpreter(table.table("services_interpreter")),
        packages=_read_wheels(table, "packages"),
        services=_read_wheels(table, "services"),
        system=_read_system(table.table("system")),
        additions=read_debs(table, "additions"),
    )
    _note_debs_of_both(table, lock.system, lock.additions)
    if table.faults:
        raise UsageError(
            f"lock `{where}` has faults:\n" + "\n".join(f"  {fault}" for fault in table.faults),
            hint="Take the file from version control again, or remove it and run `labbox lock`.",
        )
    return lock


def _load(text: bytes, where: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        conflict = "; it holds conflict marks of git" if b"\n<<<<<<< " in b"\n" + text else ""
        raise UsageError(
            f"lock `{where}` is not JSON{conflict}: {error}",
            hint="Take one side of the file from version control, then run `labbox lock`.",
        ) from error
    if not isinstance(document, dict):
        raise UsageError(f"lock `{where}` is not a JSON object")
    if document.get("format") != FORMAT:
        raise UsageError(
            f"lock `{where}` has format `{document.get('format')}`; this labbox reads format {FORMAT}",
            hint="Use the version of labbox that wrote it, or remove the file and lock again.",
        )
    return document


def _list(key: str, lines: Sequence[str]) -> str:
    return f' "{key}": [\n' + ",\n".join(f"  {line}" for line in lines) + "\n ]" if lines else f' "{key}": []'


def _format_wheel(wheel: LockedWheel) -> str:
    document = {key: value for key, value in asdict(wheel).items() if value not in (None, 0, "")}
    return json.dumps(document)


def _format_system(system: SystemLock | LockedImage) -> str:
    if isinstance(system, LockedImage):
        return json.dumps({"image": system.name, "digest": system.digest})
    return "\n ".join(format_system_lock(system).rstrip("\n").split("\n"))


def _read_system(table: Table) -> SystemLock | LockedImage:
    if "image" in table.values:
        return LockedImage(name=table.text("image"), digest=table.text("digest", _DIGEST))
    return read_system(table)


def _read_interpreter(table: Table) -> LockedInterpreter:
    return LockedInterpreter(
        version=table.text("version", _LANGUAGE), path=table.text("path", _PROGRAM), abi=table.text("abi", _ABI)
    )


def _read_wheels(table: Table, key: str) -> tuple[LockedWheel, ...]:
    wheels = tuple(_read_wheel(row) for row in table.rows(key))
    table.note_repeated(key, [wheel.name for wheel in wheels])
    return wheels


def _read_wheel(row: Table) -> LockedWheel:
    is_built = "source" in row.values  # by labbox: no server has it
    return LockedWheel(
        name=row.text("name", _PROJECT),
        version=row.text("version", _VERSION),
        file_name=row.text("file_name", _WHEEL),
        url="" if is_built and not row.values.get("url") else row.text("url", _ADDRESS),
        size=row.number("size"),
        sha256=row.text("sha256", _SHA256),
        uploaded=row.number("uploaded") if "uploaded" in row.values else 0,
        source=_read_source(row.table("source")) if is_built else None,
    )


def _read_source(table: Table) -> LockedSource:
    return LockedSource(url=table.text("url"), sha256=table.text("sha256", _SHA256))


def _note_debs_of_both(table: Table, system: SystemLock | LockedImage, additions: Iterable[LockedDeb]) -> None:
    """A package of the system cannot be laid over it again."""
    if isinstance(system, LockedImage):
        return
    below = {deb.name for deb in system.debs}
    for position, deb in enumerate(additions):
        if deb.name in below:
            table.fault(f"additions[{position}].name", f"`{deb.name}` is in the system already")
