"""A wheel read and checked: its files, its record of them, its entry points.

Source: packaging.python.org, "Binary distribution format", "Recording installed projects", "Entry points".
"""

import configparser
import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from labbox.build.python.wheel_name import is_same_version, normalise_name, parse_wheel_name
from labbox.build.python.zip_content import read_member
from labbox.build.python.zip_directory import ZipMember, read_directory
from labbox.errors import ArchiveError

_MOST_METADATA_BYTES = 64 << 20
# csv's own limit, 128 KiB, is more than any path.
_HASHES = ("sha256", "sha384", "sha512")
_UNRECORDED = ("RECORD", "RECORD.jws", "RECORD.p7s")
_SCRIPT_GROUPS = ("console_scripts", "gui_scripts")
# A launcher's name becomes a file of bin/, the rest becomes a program: nothing else may be in them.
_LAUNCHER_NAME = re.compile(r"[\w+-][\w.+ -]*")
_REFERENCE = re.compile(r"(?P<module>\w+(?:\.\w+)*)\s*:\s*(?P<attribute>\w+(?:\.\w+)*)\s*(?:\[[^\]]*\])?")


class RecordRow(NamedTuple):
    """What RECORD says of one file: the hash's algorithm and value (unpadded base64url), empty where none is given."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Launcher:
    """A program that calls a function of the wheel: `name` in bin/."""

    name: str
    module: str
    attribute: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel's table of contents. `rows` says for each member what RECORD does; `record` is RECORD's own text."""

    file_name: str
    name: str
    members: tuple[ZipMember, ...]
    dist_info: str
    data_folder: str
    rows: Mapping[str, RecordRow]
    record: bytes
    launchers: tuple[Launcher, ...]
    scripts: Mapping[str, bytes]


def read_wheel(descriptor: int, file_name: str) -> Wheel:
    """The wheel behind a descriptor, checked as far as that goes without its content.

    Raises ArchiveError, naming the wheel and the member, for anything an installer should refuse.
    """
    named = parse_wheel_name(file_name)
    members = read_directory(descriptor, file_name)
    by_name = {member.name: member for member in members}
    _refuse_file_as_folder(by_name, file_name)
    dist_info = _find_dist_info(by_name, file_name)

    def read(name: str) -> bytes:
        if name not in by_name:
            raise ArchiveError(f"`{file_name}` has no `{name}`")
        return read_member(descriptor, by_name[name], file_name, most_bytes=_MOST_METADATA_BYTES)

    _check_metadata(_fields(read(f"{dist_info}/METADATA")), file_name)
    _check_format(_fields(read(f"{dist_info}/WHEEL")), file_name)
    record = read(f"{dist_info}/RECORD")
    entry_points = read(f"{dist_info}/entry_points.txt") if f"{dist_info}/entry_points.txt" in by_name else b""
    data_folder = f"{dist_info.removesuffix('.dist-info')}.data"
    scripts_folder = f"{data_folder}/scripts/"
    return Wheel(
        file_name=file_name,
        name=named.name,
        members=tuple(members),
        dist_info=dist_info,
        data_folder=data_folder,
        rows=_parse_record(record, by_name, dist_info, file_name),
        record=record,
        launchers=tuple(_parse_entry_points(entry_points, file_name)),
        scripts={name: read(name) for name in by_name if name.startswith(scripts_folder)},
    )


def _refuse_file_as_folder(by_name: Mapping[str, ZipMember], file_name: str) -> None:
    seen: set[str] = set()
    for name in by_name:
        folder = name.rpartition("/")[0]
        while folder and folder not in seen:
            seen.add(folder)
            if folder in by_name:
                raise ArchiveError(f"`{file_name}`: member `{folder}` is a file, and the folder of `{name}`")
            folder = folder.rpartition("/")[0]


def _find_dist_info(by_name: Mapping[str, ZipMember], file_name: str) -> str:
    """The wheel's one folder `{name}-{version}.dist-info`, whose name must agree with the file's."""
    folders = {top for top, slash, _ in (name.partition("/") for name in by_name) if slash}
    found = sorted(folder for folder in folders if folder.endswith(".dist-info"))
    if len(found) != 1:
        raise ArchiveError(f"`{file_name}` has {len(found)} folders `.dist-info`, not one")
    name, _, version = found[0].removesuffix(".dist-info").partition("-")
    _compare(name, version, f"its folder `{found[0]}`", file_name)
    return found[0]


def _check_metadata(fields: Mapping[str, str], file_name: str) -> None:
    _compare(fields.get("name", ""), fields.get("version", ""), "its METADATA", file_name)


def _compare(name: str, version: str, where: str, file_name: str) -> None:
    named = parse_wheel_name(file_name)
    if normalise_name(name) != named.name or not is_same_version(named.version, version):
        raise ArchiveError(f"`{file_name}` is `{name}` `{version}` by {where}")


def _check_format(fields: Mapping[str, str], file_name: str) -> None:
    version = fields.get("wheel-version", "")
    if version.partition(".")[0] != "1":
        raise ArchiveError(f"`{file_name}` has wheel format `{version}`; this labbox knows format 1")


def _fields(data: bytes) -> dict[str, str]:
    """The header fields of a METADATA or WHEEL file by their lower-case names; the first of several counts."""
    fields: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        if not line.strip():
            break
        name, colon, value = line.partition(":")
        if colon and not line[0].isspace():
            fields.setdefault(name.strip().lower(), value.strip())
    return fields


def _parse_record(
    record: bytes, by_name: Mapping[str, ZipMember], dist_info: str, file_name: str
) -> dict[str, RecordRow]:
    """RECORD's row for each file. Rows of files that are not in the wheel mean nothing: they are left out."""
    rows: dict[str, RecordRow] = {}
    for fields in _csv_rows(record, file_name):
        path = fields[0]
        member = by_name.get(path)
        if member is None:
            continue
        algorithm, _, value = (fields[1] if len(fields) > 1 else "").partition("=")
        row = RecordRow(algorithm, value.rstrip("="))
        size = fields[2] if len(fields) > 2 else ""
        if rows.setdefault(path, row) != row:
            raise ArchiveError(f"`{file_name}`: RECORD has two different rows for `{path}`")
        if size and size != str(member.size_bytes):
            raise ArchiveError(f"`{file_name}`: member `{path}` has {member.size_bytes} bytes, and {size} by RECORD")
        if algorithm and algorithm not in _HASHES:
            raise ArchiveError(
                f"`{file_name}`: RECORD has a hash `{algorithm}` for `{path}`; it must be sha256 or better"
            )
    unrecorded = {f"{dist_info}/{name}" for name in _UNRECORDED}
    for path in by_name:
        if path not in unrecorded and not rows.get(path, RecordRow("", "")).value and not path.endswith(".pyc"):
            raise ArchiveError(f"`{file_name}`: RECORD has no hash of member `{path}`")
    return rows


def _csv_rows(record: bytes, file_name: str) -> Sequence[Sequence[str]]:
    try:
        return [row for row in csv.reader(record.decode("utf-8").splitlines()) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ArchiveError(f"`{file_name}` has a RECORD that cannot be read: {error}") from error


def _parse_entry_points(data: bytes, file_name: str) -> Sequence[Launcher]:
    """The launchers that an entry_points.txt asks for, by name; `gui_scripts` are the same on Linux."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    try:
        parser.read_string(data.decode("utf-8"))
    except (UnicodeDecodeError, configparser.Error) as error:
        raise ArchiveError(f"`{file_name}` has an entry_points.txt that cannot be read: {error}") from error
    launchers = {
        name: _make_launcher(name, reference, file_name)
        for group in _SCRIPT_GROUPS
        if parser.has_section(group)
        for name, reference in parser.items(group)
    }
    return [launchers[name] for name in sorted(launchers)]


def _make_launcher(name: str, reference: str, file_name: str) -> Launcher:
    match = _REFERENCE.fullmatch(reference.strip())
    if match is None or not _LAUNCHER_NAME.fullmatch(name):
        raise ArchiveError(f"`{file_name}` has a launcher that cannot be made: `{name} = {reference}`"[:300])
    return Launcher(name=name, module=match["module"], attribute=match["attribute"])
