"""The canonical tar: one spelling for one tree, so that equal trees have equal digests. Layout 1.

An archive is a sequence of `encode_entry(entry)`, the entry's `size_bytes` bytes of content and `padding(size_bytes)`,
closed by `END`. The caller streams the content; these functions are pure. The rules that make the bytes unique:

- names are relative, without `./`; a folder's name ends in `/`; the root itself has no entry;
- entries stand in the order of `sort_key`: depth first, whiteouts before their siblings, names by their bytes;
- ustar headers (POSIX.1-1988), no user or group names, times in whole seconds;
- a PAX header (POSIX.1-2001) only for what ustar cannot hold, its records sorted, its own fields constant;
- a file with several names is stored at its first name in that order, the others are hard links to it;
- two zero blocks at the end and no further padding.

A change of these rules changes digests: it needs a new layout number.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

LAYOUT = 1
BLOCK_BYTES = 512
END = bytes(2 * BLOCK_BYTES)
WHITEOUT_PREFIX = b".wh."
OPAQUE_MARKER = b".wh..wh..opq"

Kind = Literal["file", "hardlink", "symlink", "character", "block", "directory", "fifo"]
TYPE_FLAGS: dict[Kind, bytes] = {
    "file": b"0",
    "hardlink": b"1",
    "symlink": b"2",
    "character": b"3",
    "block": b"4",
    "directory": b"5",
    "fifo": b"6",
}
XATTR_RECORD = b"SCHILY.xattr."

_NAME_BYTES = 100
_PREFIX_BYTES = 155
_MAX_OCTAL_7 = 0o7777777
_MAX_OCTAL_11 = 0o77777777777
_PAX_NAME = b"././@PaxHeader"
_EMPTY_CHECKSUM = b"        "
_NO_DEVICE = b"0000000\0" * 2


class TarEntry(NamedTuple):
    """What a tar header says about one name; `path` is relative and carries no slash at its end."""

    path: bytes
    kind: Kind
    mode: int
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    size_bytes: int = 0
    target: bytes = b""
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[bytes, bytes], ...] = ()


def sort_key(path: bytes) -> list[tuple[int, bytes]]:
    """The place of a path in the canonical order, component by component: opaque marker, whiteouts, the rest."""
    return [(_rank(name), name) for name in path.split(b"/")]


def encode_entry(entry: TarEntry) -> bytes:
    """The header blocks of one entry; its content and `padding` follow."""
    path = entry.path + b"/" if entry.kind == "directory" else entry.path
    records: list[tuple[bytes, bytes]] = [(XATTR_RECORD + name, value) for name, value in entry.xattrs]
    name, prefix = _split_path(path)
    if not name:
        records.append((b"path", path))
        name = path[:_NAME_BYTES]
    if len(entry.target) > _NAME_BYTES:
        records.append((b"linkpath", entry.target))
    for key, number, limit in (
        (b"uid", entry.uid, _MAX_OCTAL_7),
        (b"gid", entry.gid, _MAX_OCTAL_7),
        (b"size", entry.size_bytes, _MAX_OCTAL_11),
        (b"mtime", entry.mtime, _MAX_OCTAL_11),
    ):
        if not 0 <= number <= limit:
            records.append((key, b"%d" % number))
    header = _ustar_header(entry, name, prefix)
    return _pax_header(records) + header if records else header


def padding(size_bytes: int) -> bytes:
    """The zeros that fill the last block of content of this length."""
    return bytes(-size_bytes % BLOCK_BYTES)


def whiteout(path: bytes) -> TarEntry:
    """The entry that removes `path` of the layers below (image-spec layer.md, "Whiteouts")."""
    folder, slash, name = path.rpartition(b"/")
    return TarEntry(folder + slash + WHITEOUT_PREFIX + name, "file", 0)


def opaque_marker(folder: bytes) -> TarEntry:
    """The entry that hides everything that the layers below have in `folder` (empty: the root)."""
    return TarEntry(folder + b"/" + OPAQUE_MARKER if folder else OPAQUE_MARKER, "file", 0)


def _rank(name: bytes) -> int:
    if not name.startswith(WHITEOUT_PREFIX):
        return 2
    return 0 if name == OPAQUE_MARKER else 1


def _split_path(path: bytes) -> tuple[bytes, bytes]:
    """A path as ustar's name and prefix; two empty strings when it does not fit."""
    if len(path) <= _NAME_BYTES:
        return path, b""
    cut = path.find(b"/", len(path) - _NAME_BYTES - 1, len(path) - 1)
    if 0 < cut <= _PREFIX_BYTES:
        return path[cut + 1 :], path[:cut]
    return b"", b""


def _ustar_header(entry: TarEntry, name: bytes, prefix: bytes) -> bytes:
    """One block; a number that does not fit is 0 here and stands in a PAX record."""
    device = b"%07o\0%07o\0" % entry.device if entry.kind in ("character", "block") else _NO_DEVICE
    return _with_checksum(
        b"%b%07o\0%07o\0%07o\0%011o\0%011o\0"
        % (
            name.ljust(_NAME_BYTES, b"\0"),
            entry.mode & 0o7777,
            entry.uid if 0 <= entry.uid <= _MAX_OCTAL_7 else 0,
            entry.gid if 0 <= entry.gid <= _MAX_OCTAL_7 else 0,
            entry.size_bytes if entry.size_bytes <= _MAX_OCTAL_11 else 0,
            entry.mtime if 0 <= entry.mtime <= _MAX_OCTAL_11 else 0,
        ),
        TYPE_FLAGS[entry.kind] + entry.target[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0"),
        device + prefix.ljust(_PREFIX_BYTES, b"\0"),
    )


def _pax_header(records: Iterable[tuple[bytes, bytes]]) -> bytes:
    ordered = sorted(records)
    if any(not _is_utf8(key) or (not key.startswith(XATTR_RECORD) and not _is_utf8(value)) for key, value in ordered):
        ordered = [(b"hdrcharset", b"BINARY"), *ordered]
    body = b"".join(_pax_record(key, value) for key, value in ordered)
    start = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0" % (_PAX_NAME.ljust(_NAME_BYTES, b"\0"), 0o644, 0, 0, len(body), 0)
    header = _with_checksum(start, b"x" + bytes(_NAME_BYTES), _NO_DEVICE + bytes(_PREFIX_BYTES))
    return header + body + padding(len(body))


def _pax_record(key: bytes, value: bytes) -> bytes:
    """`length key=value` and a newline, where the length counts its own digits (pax(1))."""
    rest = len(key) + len(value) + 3
    length = rest + len(b"%d" % rest)
    if len(b"%d" % length) > len(b"%d" % rest):
        length += 1
    return b"%d %b=%b\n" % (length, key, value)


def _with_checksum(start: bytes, middle: bytes, end: bytes) -> bytes:
    middle += b"ustar\x0000" + bytes(64)
    checksum = sum(start) + sum(_EMPTY_CHECKSUM) + sum(middle) + sum(end)
    return b"".join((start, b"%06o\0 " % checksum, middle, end, bytes(12)))


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
