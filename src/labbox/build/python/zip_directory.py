"""The table of contents of a zip file, read strictly: what two readers could understand differently is refused.

Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.14 to 4.3.16 (end,
and its zip64 form), 4.5.3 (zip64 extra field). Nothing that the table says about content is believed:
`labbox.build.python.zip_content` compares it with what is there.
"""

import os
import stat
from collections.abc import Iterable
from struct import Struct
from typing import NamedTuple

from labbox.errors import ArchiveError

STORED = 0
DEFLATED = 8
FLAG_ENCRYPTED = 0x0001
FLAG_DESCRIPTOR = 0x0008
FLAG_UTF8 = 0x0800
_KNOWN_FLAGS = FLAG_DESCRIPTOR | FLAG_UTF8 | 0x0006  # and the compressor's level, which means nothing to a reader
LOCAL_BYTES = 30

_END = Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\x05\x06"
_LOCATOR = Struct("<4sLQL")
_LOCATOR_SIGNATURE = b"PK\x06\x07"
_END64 = Struct("<4sQ2H2L4Q")
_END64_SIGNATURE = b"PK\x06\x06"
_ENTRY = Struct("<4s6H3L5H2L")
_ENTRY_SIGNATURE = b"PK\x01\x02"
_EXTRA = Struct("<HH")
_ZIP64_EXTRA = 1
_FULL_2, _FULL_4 = 0xFFFF, 0xFFFFFFFF
_MOST_DIRECTORY_BYTES = 1 << 30
_MOST_NAME_BYTES = 1024
_MOST_PART_BYTES = 255
# A wheel of 50 times its size beyond a gibibyte is no wheel: the largest real ones reach 6 times.
_FREE_BYTES = 1 << 30
_MOST_RATIO = 50


class ZipMember(NamedTuple):
    """One file of a zip: what the directory says of it. Its bytes lie between `offset` and `limit`."""

    name: str
    method: int
    flags: int
    crc: int
    compressed_bytes: int
    size_bytes: int
    offset: int
    limit: int
    mode: int


def read_directory(descriptor: int, label: str) -> list[ZipMember]:
    """The files of the zip behind a descriptor, in the order of their names; folders are left out.

    Raises ArchiveError, naming `label` and the member, for anything malformed, ambiguous or hostile.
    """
    file_bytes = os.fstat(descriptor).st_size
    count, size, start, end = _find_directory(descriptor, file_bytes, label)
    data = os.pread(descriptor, size, start)
    if len(data) != size:
        raise ArchiveError(f"`{label}` is no whole zip file: its directory is cut off")
    entries = _parse_entries(data, count, end, label)
    members = _with_limits(entries, start, label)
    _refuse_bomb(members, file_bytes, label)
    return sorted((member for member in members if not member.name.endswith("/")), key=lambda member: member.name)


def _find_directory(descriptor: int, file_bytes: int, label: str) -> tuple[int, int, int, int]:
    """Number of entries, length and start of the directory, and where the members must end.

    The end record must be the last thing in the file: a comment could hold a second one, and a reader that searches
    backwards would find another zip file than one that searches forwards.
    """
    data = os.pread(descriptor, _END.size, max(0, file_bytes - _END.size))
    if len(data) < _END.size or not data.startswith(_END_SIGNATURE):
        raise ArchiveError(f"`{label}` is no zip file, or has a comment: it does not end in an end record")
    _, disk, start_disk, disk_count, count, size, start, comment_bytes = _END.unpack(data)
    end = file_bytes - _END.size
    if comment_bytes:
        raise ArchiveError(f"`{label}` is no whole zip file: its comment is cut off")
    if _FULL_2 in (disk_count, count) or _FULL_4 in (size, start):
        disk, start_disk, disk_count, count, size, start, end = _find_directory_64(descriptor, end, label)
    if disk or start_disk or disk_count != count:
        raise ArchiveError(f"`{label}` is one part of a zip file in several parts")
    if start + size != end:
        raise ArchiveError(f"`{label}` has something before its zip file, or between the directory and its end")
    if size > _MOST_DIRECTORY_BYTES:
        raise ArchiveError(f"`{label}` has a directory of {size} bytes: refused as a bomb")
    return count, size, start, start


def _find_directory_64(descriptor: int, end: int, label: str) -> tuple[int, int, int, int, int, int, int]:
    data = os.pread(descriptor, _LOCATOR.size, max(0, end - _LOCATOR.size))
    if len(data) < _LOCATOR.size or not data.startswith(_LOCATOR_SIGNATURE):
        raise ArchiveError(f"`{label}` is no whole zip file: it has no zip64 locator")
    _, _, position, _ = _LOCATOR.unpack(data)
    if position + _END64.size != end - _LOCATOR.size:
        raise ArchiveError(f"`{label}` has a zip64 end record in an unusual place")
    _, _, _, _, disk, start_disk, disk_count, count, size, start = _END64.unpack(
        os.pread(descriptor, _END64.size, position).ljust(_END64.size, b"\0")
    )
    if os.pread(descriptor, 4, position) != _END64_SIGNATURE:
        raise ArchiveError(f"`{label}` is no whole zip file: it has no zip64 end record")
    return disk, start_disk, disk_count, count, size, start, position


def _parse_entries(data: bytes, count: int, end: int, label: str) -> list[ZipMember]:
    """The directory's entries; their limits are set to the end of all members."""
    entries: list[ZipMember] = []
    names: set[str] = set()
    position = 0
    while position < len(data):
        if len(data) - position < _ENTRY.size:
            raise ArchiveError(f"`{label}` has a damaged directory")
        (
            signature, made_by, _, flags, method, _, _, crc, compressed, size, name_bytes, extra_bytes, comment_bytes,
            _, _, attributes, offset,
        ) = _ENTRY.unpack_from(data, position)  # fmt: skip
        start = position + _ENTRY.size
        position = start + name_bytes + extra_bytes + comment_bytes
        if signature != _ENTRY_SIGNATURE or position > len(data):
            raise ArchiveError(f"`{label}` has a damaged directory")
        name = _decode_name(data[start : start + name_bytes], flags, label)
        if name in names:
            raise ArchiveError(f"`{label}` has two members `{_show(name)}`")
        names.add(name)
        if _FULL_4 in (size, compressed, offset):
            extra = data[start + name_bytes : start + name_bytes + extra_bytes]
            size, compressed, offset = _widen(extra, (size, compressed, offset), name, label)
        # Only a Unix zip has a mode there (4.4.2.2); others are plain files.
        mode = attributes >> 16 if made_by >> 8 == 3 else 0
        entries.append(ZipMember(name, method, flags, crc, compressed, size, offset, end, mode))
        _check_entry(entries[-1], label)
    if len(entries) != count:
        raise ArchiveError(f"`{label}` has {len(entries)} members in its directory, but says {count}")
    return entries


def _decode_name(raw: bytes, flags: int, label: str) -> str:
    """A member's name. Without the flag for UTF-8 its letters would depend on the reader's code page."""
    try:
        return raw.decode("utf-8" if flags & FLAG_UTF8 else "ascii")
    except UnicodeDecodeError as error:
        raise ArchiveError(f"`{label}` has a member whose name cannot be read: `{_show(ascii(raw))}`") from error


def _widen(extra: bytes, values: tuple[int, int, int], name: str, label: str) -> tuple[int, int, int]:
    """Lengths and offset with those that are full replaced by their zip64 values, which stand in this order."""
    position = 0
    while position + _EXTRA.size <= len(extra):
        kind, length = _EXTRA.unpack_from(extra, position)
        position += _EXTRA.size
        if kind == _ZIP64_EXTRA:
            field = extra[position : position + length]
            wide = iter([int.from_bytes(field[at : at + 8], "little") for at in range(0, len(field) - 7, 8)])
            found = [next(wide, None) if value == _FULL_4 else value for value in values]
            if None not in found:
                size, compressed, offset = (int(value) for value in found if value is not None)
                return size, compressed, offset
        position += length
    raise ArchiveError(f"`{label}`: member `{_show(name)}` has no zip64 lengths")


def _check_entry(member: ZipMember, label: str) -> None:
    name = member.name
    if member.flags & FLAG_ENCRYPTED:
        raise ArchiveError(f"`{label}`: member `{_show(name)}` is encrypted")
    if member.flags & ~_KNOWN_FLAGS:
        raise ArchiveError(f"`{label}`: member `{_show(name)}` has unknown flags {member.flags:#06x}")
    if member.method not in (STORED, DEFLATED):
        raise ArchiveError(
            f"`{label}`: member `{_show(name)}` has compression method {member.method}, which no wheel has"
        )
    if member.method == STORED and member.compressed_bytes != member.size_bytes:
        raise ArchiveError(f"`{label}`: member `{_show(name)}` is stored with two different lengths")
    kind = stat.S_IFMT(member.mode)
    if kind not in ((0, stat.S_IFDIR) if name.endswith("/") else (0, stat.S_IFREG)):
        what = "a symbolic link" if kind == stat.S_IFLNK else f"of file type {kind:#o}"
        raise ArchiveError(f"`{label}`: member `{_show(name)}` is {what}")
    if name.endswith("/") and member.size_bytes:
        raise ArchiveError(f"`{label}`: member `{_show(name)}` is a folder with content")
    _check_name(name, label)


def _check_name(name: str, label: str) -> None:
    """A name must be a plain relative path, and mean the same on every system."""
    parts = name.removesuffix("/").split("/")
    if not name.isprintable() or "\\" in name:
        raise ArchiveError(f"`{label}`: member `{_show(name)}` has characters that no path in a wheel has")
    if "" in parts or "." in parts or ".." in parts:
        raise ArchiveError(f"`{label}`: member `{_show(name)}` leads out of the wheel or is no clean path")
    encoded = name.encode()
    if len(encoded) > _MOST_NAME_BYTES or (
        len(encoded) > _MOST_PART_BYTES and any(len(part.encode()) > _MOST_PART_BYTES for part in parts)
    ):
        raise ArchiveError(f"`{label}`: member `{_show(name)}` has too long a name")
    if "/.wh." in name or name.startswith(".wh."):
        raise ArchiveError(f"`{label}`: member `{_show(name)}` would remove a file: names with `.wh.` do so in images")


def _with_limits(entries: Iterable[ZipMember], end: int, label: str) -> list[ZipMember]:
    """The members with what they may reach to: the next member's header. Those that overlap are refused."""
    ordered = sorted(entries, key=lambda member: member.offset, reverse=True)
    limited = []
    limit = end
    for member in ordered:
        if member.offset + LOCAL_BYTES + len(member.name) + member.compressed_bytes > limit:
            raise ArchiveError(f"`{label}`: member `{_show(member.name)}` overlaps another or the directory")
        limited.append(member._replace(limit=limit))
        limit = member.offset
    return limited


def _refuse_bomb(members: Iterable[ZipMember], file_bytes: int, label: str) -> None:
    total = sum(member.size_bytes for member in members)
    if total > _FREE_BYTES and total > _MOST_RATIO * file_bytes:
        raise ArchiveError(
            f"`{label}` unpacks to {total} bytes, {total // file_bytes} times its size: refused as a bomb"
        )


def _show(name: str) -> str:
    """A name for a message: shortened, without control characters."""
    text = name if name.isprintable() else ascii(name)[1:-1]
    return text if len(text) <= 100 else text[:97] + "..."
