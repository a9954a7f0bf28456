"""Wheels written member by member, with any lie in them."""

import base64
import hashlib
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from labbox.build.python.wheel_name import parse_wheel_name
from labbox.lock.lab import LockedWheel

_LOCAL = struct.Struct("<4s5H3L2H")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
NAME = "sample-1.0-py3-none-any.whl"


class Lie(NamedTuple):
    """One member as it is written; every field of the directory or the local header may be replaced."""

    name: str
    content: bytes = b""
    mode: int = stat.S_IFREG | 0o644
    method: int = 8
    data: bytes | None = None
    central: Mapping[str, Any] = {}
    local: Mapping[str, Any] = {}


def raw_deflate(content: bytes, level: int = 6) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    return compressor.compress(content) + compressor.flush()


def write_zip(members: Sequence[Lie], *, comment: bytes = b"", before: bytes = b"", **end: int) -> bytes:
    """A zip file written by hand."""
    body, directory = bytearray(before), bytearray()
    for member in members:
        name = member.name.encode()
        data = member.data
        if data is None:
            data = raw_deflate(member.content) if member.method == 8 else member.content
        fields = {
            "flags": 0 if member.name.isascii() else 0x800, "method": member.method, "crc": zlib.crc32(member.content),
            "compressed": len(data), "size": len(member.content), "name": name, "extra": b"",
            "offset": len(body), "made_by": 3 << 8 | 20, "attributes": member.mode << 16,
        }  # fmt: skip
        here, there = {**fields, **member.local}, {**fields, **member.central}
        body += _LOCAL.pack(
            b"PK\x03\x04", 20, here["flags"], here["method"], 0, 33, here["crc"], here["compressed"], here["size"],
            len(here["name"]), len(here["extra"]),
        )  # fmt: skip
        body += here["name"] + here["extra"] + data
        directory += _ENTRY.pack(
            b"PK\x01\x02", there["made_by"], 20, there["flags"], there["method"], 0, 33, there["crc"],
            there["compressed"], there["size"], len(there["name"]), len(there["extra"]), 0, 0, 0, there["attributes"],
            there["offset"],
        )  # fmt: skip
        directory += there["name"] + there["extra"]
    fields = {"count": len(members), "size": len(directory), "start": len(body), **end}
    closing = _END.pack(
        b"PK\x05\x06", 0, 0, fields["count"], fields["count"], fields["size"], fields["start"], len(comment)
    )
    return bytes(body + directory + closing + comment)


def record_of(members: Sequence[Lie], dist_info: str) -> bytes:
    """The RECORD that fits some members."""
    rows = [
        f"{member.name},sha256={_hash(member.content)},{len(member.content)}\n"
        for member in members
        if not member.name.endswith("/")
    ]
    return "".join([*rows, f"{dist_info}/RECORD,,\n"]).encode()


def lying_wheel(*members: Lie, file_name: str = NAME, record: bytes | None = None, **keywords: Any) -> bytes:
    """A wheel of these members with proper metadata."""
    parts = file_name.split("-")
    dist_info = f"{parts[0]}-{parts[1]}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {parts[0]}\nVersion: {parts[1]}\n".encode()
    proper = [
        *members,
        Lie(f"{dist_info}/METADATA", metadata),
        Lie(f"{dist_info}/WHEEL", b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
    ]
    unlisted = [member for member in proper if "RECORD" not in member.name]
    proper.append(Lie(f"{dist_info}/RECORD", record_of(unlisted, dist_info) if record is None else record))
    return write_zip(proper, **keywords)


def plain_wheel(
    files: Mapping[str, bytes],
    file_name: str = NAME,
    *,
    executable: Sequence[str] = (),
    stored: Sequence[str] = (),
    entry_points: str = "",
) -> bytes:
    """A wheel as a build tool writes it, by the standard library."""
    name, version, *_ = file_name.split("-")
    dist_info = f"{name}-{version}.dist-info"
    contents = {
        **files,
        f"{dist_info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{dist_info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if entry_points:
        contents[f"{dist_info}/entry_points.txt"] = entry_points.encode()
    rows = [f"{_quoted(path)},sha256={_hash(data)},{len(data)}\n" for path, data in contents.items()]
    contents[f"{dist_info}/RECORD"] = "".join([*rows, f"{dist_info}/RECORD,,\n"]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in contents.items():
            entry = zipfile.ZipInfo(path, (2024, 1, 1, 0, 0, 0))
            entry.external_attr = (stat.S_IFREG | (0o755 if path in executable else 0o644)) << 16
            entry.compress_type = zipfile.ZIP_STORED if path in stored else zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return buffer.getvalue()


def keep(folder: Any, data: bytes, file_name: str = NAME) -> tuple[LockedWheel, dict[str, str]]:
    """A wheel's bytes in a file, locked."""
    sha256 = hashlib.sha256(data).hexdigest()
    path = os.path.join(folder, sha256)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, 0o644)
    named = parse_wheel_name(file_name)
    locked = LockedWheel(
        name=named.name, version=named.version, file_name=file_name, url=f"file://{path}", size=len(data), sha256=sha256
    )
    return locked, {sha256: path}


def open_bytes(folder: Any, data: bytes) -> int:
    """A descriptor of a file with this content."""
    path = os.path.join(folder, f"file-{hashlib.sha256(data).hexdigest()[:16]}")
    with open(path, "wb") as file:
        file.write(data)
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _quoted(path: str) -> str:
    return f'"{path}"' if "," in path else path
