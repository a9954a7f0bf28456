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
_NUMBERS = b"%07o\0%07o\0%07o\0%011o\0%011o\0"  # mode, uid, gid, size, mtime
_NO_NAMES = bytes(64)  # of user and group
_PREFIX_FIELD_BYTES = _PREFIX_BYTES + 12  # to the end of the block
_FIXED_SUM = sum(b"        ustar\x0000")  # the checksum itself counts as blanks
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
    name, prefix = (path, b"") if len(path) <= _NAME_BYTES else _split_path(path)
    if _fits_ustar(entry) and name:
        return _ustar_header(entry, name, prefix)
    records: list[tuple[bytes, bytes]] = [(XATTR_RECORD + key, value) for key, value in entry.xattrs]
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
    return _pax_header(records) + _ustar_header(_cut_to_ustar(entry), name, prefix)


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


def _fits_ustar(entry: TarEntry) -> bool:
    return (
        not entry.xattrs
        and len(entry.target) <= _NAME_BYTES
        and 0 <= entry.uid <= _MAX_OCTAL_7
        and 0 <= entry.gid <= _MAX_OCTAL_7
        and 0 <= entry.mtime <= _MAX_OCTAL_11
        and entry.size_bytes <= _MAX_OCTAL_11
    )


def _cut_to_ustar(entry: TarEntry) -> TarEntry:
    """What does not fit is 0 or cut short in the header, as it stands in a PAX record."""
    return entry._replace(
        uid=entry.uid if 0 <= entry.uid <= _MAX_OCTAL_7 else 0,
        gid=entry.gid if 0 <= entry.gid <= _MAX_OCTAL_7 else 0,
        mtime=entry.mtime if 0 <= entry.mtime <= _MAX_OCTAL_11 else 0,
        size_bytes=entry.size_bytes if entry.size_bytes <= _MAX_OCTAL_11 else 0,
        target=entry.target[:_NAME_BYTES],
    )


def _ustar_header(entry: TarEntry, name: bytes, prefix: bytes) -> bytes:
    """One block of an entry that fits."""
    device = b"%07o\0%07o\0" % entry.device if entry.kind in ("character", "block") else _NO_DEVICE
    numbers = _NUMBERS % (entry.mode & 0o7777, entry.uid, entry.gid, entry.size_bytes, entry.mtime)
    return _header(name, numbers, TYPE_FLAGS[entry.kind], entry.target, device, prefix)


def _pax_header(records: Iterable[tuple[bytes, bytes]]) -> bytes:
    ordered = sorted(records)
    if any(not _is_utf8(key) or (not key.startswith(XATTR_RECORD) and not _is_utf8(value)) for key, value in ordered):
        ordered = [(b"hdrcharset", b"BINARY"), *ordered]
    body = b"".join(_pax_record(key, value) for key, value in ordered)
    numbers = _NUMBERS % (0o644, 0, 0, len(body), 0)
    return _header(_PAX_NAME, numbers, b"x", b"", _NO_DEVICE, b"") + body + padding(len(body))


def _pax_record(key: bytes, value: bytes) -> bytes:
    """`length key=value` and a newline, where the length counts its own digits (pax(1))."""
    rest = len(key) + len(value) + 3
    length = rest + len(b"%d" % rest)
    if len(b"%d" % length) > len(b"%d" % rest):
        length += 1
    return b"%d %b=%b\n" % (length, key, value)


def _header(name: bytes, numbers: bytes, type_flag: bytes, target: bytes, device: bytes, prefix: bytes) -> bytes:
    """One block. Its checksum is summed over the parts that are not zero: this runs for every file of a tree."""
    checksum = _FIXED_SUM + sum(name) + sum(numbers) + type_flag[0] + sum(target) + sum(device) + sum(prefix)
    return b"%b%b%06o\0 %b%bustar\x0000%b%b%b" % (
        name.ljust(_NAME_BYTES, b"\0"),
        numbers,
        checksum,
        type_flag,
        target.ljust(_NAME_BYTES, b"\0"),
        _NO_NAMES,
        device,
        prefix.ljust(_PREFIX_FIELD_BYTES, b"\0"),
    )


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
