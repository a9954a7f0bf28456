"""The lock of a system: every Debian package of it, with version and hash, as a value and as a JSON file.

docs/formats describes the file. Two systems with the same lock have the same image digest.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from labbox.errors import UsageError
from labbox.files import write_atomic
from labbox.lock.table import Table
from labbox.packages.debian.mirrors import DEBIAN, SECURITY

FORMAT = 1
_HEX = {"sha256": re.compile(r"[0-9a-f]{64}"), "sha1": re.compile(r"[0-9a-f]{40}")}
_NAME = re.compile(r"[a-z0-9][a-z0-9+.\-]+")
_VERSION = re.compile(r"[A-Za-z0-9.+~:\-]+")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedSuite:
    """A suite that the packages were chosen from, as it stood: the hashes of its signed index and of its packages."""

    archive: str
    suite: str
    inrelease_sha256: str
    packages_sha256: str
    date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedDeb:
    """A package's very file. `essential` belongs to every system; `manual` was asked for, not pulled in by another."""

    name: str
    version: str
    architecture: str
    archive: str
    path: str
    size: int
    sha256: str
    sha1: str = ""
    manual: bool = False
    essential: bool = False

    @property
    def file_name(self) -> str:
        """The file's name in the archive's pool."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemLock:
    """A system, exactly: `epoch` is the time all its files carry, `assembler` the rules by which it is put together."""

    release: str
    architecture: str
    epoch: int
    fetched_at: str
    assembler: int
    suites: tuple[LockedSuite, ...]
    debs: tuple[LockedDeb, ...]

    def key(self) -> str:
        """The sha256 of everything that shapes the image; where and when the files were found does not."""
        packages = [
            [deb.name, deb.version, deb.architecture, deb.sha256, deb.manual, deb.essential] for deb in self.debs
        ]
        shaping = [self.release, self.architecture, self.epoch, self.assembler, packages]
        return hashlib.sha256(json.dumps(shaping, separators=(",", ":")).encode()).hexdigest()

    def with_sha1(self, sha1_by_sha256: Mapping[str, str]) -> "SystemLock":
        """The lock with the SHA-1 of each file that is known, by which the snapshot archive finds it."""
        debs = tuple(replace(deb, sha1=sha1_by_sha256.get(deb.sha256, deb.sha1)) for deb in self.debs)
        return replace(self, debs=debs)


def write_system_lock(path: str, lock: SystemLock) -> None:
    """Write the lock as JSON, whole or not at all."""
    write_atomic(path, format_system_lock(lock).encode(), mode=0o644)


def read_system_lock(path: str) -> SystemLock:
    """Read a lock file; UsageError lists every fault with its place."""
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError as error:
        raise UsageError(f"cannot read lock `{path}`: {error.strerror}") from error
    return parse_system_lock(text, where=path)


def format_system_lock(lock: SystemLock) -> str:
    """The text of a lock file: keys in a fixed order, packages by name, one line each."""
    head = {key: value for key, value in asdict(lock).items() if key not in ("suites", "debs")}
    lines = [f' "{key}": {json.dumps(value)},' for key, value in {"format": FORMAT, **head}.items()]
    suites = ",\n".join(f"  {json.dumps(asdict(suite))}" for suite in lock.suites)
    debs = ",\n".join(f"  {format_deb(deb)}" for deb in lock.debs)
    return "\n".join(["{", *lines, f' "suites": [\n{suites}\n ],', f' "debs": [\n{debs}\n ]', "}", ""])


def parse_system_lock(text: bytes, *, where: str) -> SystemLock:
    """The lock in the text of a lock file; UsageError lists every fault with its place."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise UsageError(f"lock `{where}` is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"lock `{where}` is not a JSON object")
    if document.get("format") != FORMAT:
        raise UsageError(
            f"lock `{where}` has format `{document.get('format')}`; this labbox reads format {FORMAT}",
            hint="Use the version of labbox that wrote it, or lock again.",
        )
    table = Table(document, "", [])
    lock = read_system(table)
    if table.faults:
        raise UsageError(f"lock `{where}` has faults:\n" + "\n".join(f"  {fault}" for fault in table.faults))
    return lock


def read_system(table: Table) -> SystemLock:
    """The lock in a JSON object; faults are noted in the table."""
    suites = tuple(_read_suite(row) for row in table.rows("suites"))
    debs = read_debs(table, "debs")
    return SystemLock(
        release=table.text("release"),
        architecture=table.text("architecture"),
        epoch=table.number("epoch"),
        fetched_at=table.text("fetched_at", _DATE),
        assembler=table.number("assembler"),
        suites=suites,
        debs=debs,
    )


def read_debs(table: Table, key: str) -> tuple[LockedDeb, ...]:
    """The packages in a list of a JSON object, each once; faults are noted in the table."""
    rows = table.rows(key)
    debs = tuple(_read_deb(row) for row in rows)
    table.note_repeated(key, [deb.name for deb in debs])
    return debs


def format_deb(deb: LockedDeb) -> str:
    """The line of a package in a lock file."""
    return json.dumps(_without_defaults(deb))


def _without_defaults(deb: LockedDeb) -> dict[str, Any]:
    return {key: value for key, value in asdict(deb).items() if value not in ("", False)}


def _read_suite(row: Table) -> LockedSuite:
    return LockedSuite(
        archive=row.choice("archive", (DEBIAN, SECURITY)),
        suite=row.text("suite"),
        inrelease_sha256=row.text("inrelease_sha256", _HEX["sha256"]),
        packages_sha256=row.text("packages_sha256", _HEX["sha256"]),
        date=row.text("date", _DATE),
    )


def _read_deb(row: Table) -> LockedDeb:
    path = row.text("path")
    if path.startswith("/") or ".." in path.split("/"):
        row.fault("path", f"`{path}` leaves the archive")
    return LockedDeb(
        name=row.text("name", _NAME),
        version=row.text("version", _VERSION),
        architecture=row.text("architecture"),
        archive=row.choice("archive", (DEBIAN, SECURITY)),
        path=path,
        size=row.number("size"),
        sha256=row.text("sha256", _HEX["sha256"]),
        sha1=row.text("sha1", _HEX["sha1"]) if "sha1" in row.values else "",
        manual=row.flag("manual"),
        essential=row.flag("essential"),
    )
