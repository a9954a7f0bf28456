"""A streaming reader of tar archives of every dialect that images come in; malformed ones raise ArchiveError.

Reads V7, ustar, PAX (extended and global headers, extended attributes), GNU long names and star. Numbers are octal or
base 256. Sparse files and multi-volume archives are refused. Every header's checksum is verified, every size bounded.
Sources: pax(1) of POSIX.1-2017, "Basic Tar Format" of GNU tar's manual, star(5) of libarchive's tar(5) page.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from labbox.errors import ArchiveError
from labbox.oci.canonical_tar import BLOCK_BYTES, XATTR_RECORD, Kind, TarEntry

MAX_HEADER_BYTES = 1 << 20  # of a PAX header or a long name, as Go's archive/tar
_MAX_SIZE_BYTES = 1 << 62
_SKIP_BYTES = 1 << 20
_ZERO_BLOCK = bytes(BLOCK_BYTES)
_OCTAL_DIGITS = b"01234567"
_KINDS: dict[bytes, Kind] = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",  # contiguous files, a wish of 1988
    b"1": "hardlink",
    b"2": "symlink",
    b"3": "character",
    b"4": "block",
    b"5": "directory",
    b"6": "fifo",
}
_LIBARCHIVE_XATTR = b"LIBARCHIVE.xattr."


class Source(Protocol):
    """Where the archive's bytes come from: `read(n)` gives n bytes, fewer only at the end."""

    def read(self, count: int, /) -> bytes:
        """The next `count` bytes."""
        ...


class _Header(NamedTuple):
    """One header block, its fields as they stand."""

    type_flag: bytes
    entry: TarEntry


class TarReader:
    """Iterates over the entries of an archive; `read` and `readinto`-style access give the content of the last one."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._position = 0
        self._content_left = 0
        self._padding_left = 0
        self._global: dict[bytes, bytes] = {}

    @property
    def content_left(self) -> int:
        """How many bytes of the current entry's content are still to be read."""
        return self._content_left

    def read(self, count: int) -> bytes:
        """The next bytes of the current entry's content, at most `count`; empty at its end."""
        count = min(count, self._content_left)
        if not count:
            return b""
        data = self._take(count)
        self._content_left -= count
        return data

    def __iter__(self) -> Iterator[TarEntry]:
        while (entry := self._next_entry()) is not None:
            yield entry

    def _next_entry(self) -> TarEntry | None:
        """The next entry with everything that extended headers say about it; None at the end of the archive."""
        records: dict[bytes, bytes] = {}
        long_name, long_target = b"", b""
        while True:
            header = self._read_header()
            if header is None:
                if records or long_name or long_target:
                    raise self._fault("ends after an extended header")
                return None
            if header.type_flag in (b"x", b"X"):
                records = self._parse_records(self._read_metadata(header))
            elif header.type_flag == b"g":
                self._global.update(self._parse_records(self._read_metadata(header)))
            elif header.type_flag == b"L":
                long_name = self._read_metadata(header).split(b"\0")[0]
            elif header.type_flag == b"K":
                long_target = self._read_metadata(header).split(b"\0")[0]
            else:
                entry = header.entry
                if long_name or long_target:
                    entry = entry._replace(path=long_name or entry.path, target=long_target or entry.target)
                return self._complete(entry, header.type_flag, {**self._global, **records} if self._global else records)

    def _complete(self, entry: TarEntry, type_flag: bytes, records: Mapping[bytes, bytes]) -> TarEntry:
        if type_flag not in _KINDS:
            raise self._fault(f"type `{type_flag.decode('latin-1')}` of {_show(entry.path)} is not supported")
        kind = _KINDS[type_flag]
        if records:
            if any(key.startswith(b"GNU.sparse.") for key in records):
                raise self._fault(f"{_show(entry.path)} is stored as a sparse file, which is not supported")
            entry = self._apply_records(entry, records)
        if kind == "file" and entry.path.endswith(b"/"):
            kind = "directory"  # V7 had no other way to say so
        if not entry.path or b"\0" in entry.path or b"\0" in entry.target:
            raise self._fault(f"name {_show(entry.path)} is empty or holds a zero byte")
        size_bytes = entry.size_bytes if kind == "file" else 0
        self._content_left, self._padding_left = size_bytes, -size_bytes % BLOCK_BYTES
        return entry._replace(kind=kind, path=entry.path.rstrip(b"/") or b"/", size_bytes=size_bytes)

    def _apply_records(self, entry: TarEntry, records: Mapping[bytes, bytes]) -> TarEntry:
        """The entry as PAX records change it; an empty value leaves the header's."""
        given = {key: value for key, value in records.items() if value}
        xattrs = {key[len(XATTR_RECORD) :]: value for key, value in records.items() if key.startswith(XATTR_RECORD)}
        for key, value in given.items():
            if key.startswith(_LIBARCHIVE_XATTR):
                name, content = _libarchive_xattr(key, value)
                xattrs.setdefault(name, content)
        return entry._replace(
            path=given.get(b"path", entry.path),
            target=given.get(b"linkpath", entry.target),
            size_bytes=self._record_number(given, b"size", entry.size_bytes, _MAX_SIZE_BYTES),
            uid=self._record_number(given, b"uid", entry.uid, 0xFFFFFFFE),
            gid=self._record_number(given, b"gid", entry.gid, 0xFFFFFFFE),
            mtime=self._record_time(given.get(b"mtime"), entry.mtime),
            xattrs=tuple(sorted(xattrs.items())),
        )

    def _record_number(self, records: Mapping[bytes, bytes], key: bytes, otherwise: int, limit: int) -> int:
        text = records.get(key)
        if text is None:
            return otherwise
        number = int(text) if text.isdigit() and len(text) <= 20 else -1
        if not 0 <= number <= limit:
            raise self._fault(f"PAX record `{key.decode()}` is {_show(text)}")
        return number

    def _record_time(self, text: bytes | None, otherwise: int) -> int:
        """Whole seconds of a PAX time, rounded down; a time no file can have counts as the header's."""
        if text is None:
            return otherwise
        whole, _, fraction = text.partition(b".")
        digits = whole.removeprefix(b"-")
        if not digits.isdigit() or (fraction and not fraction.isdigit()) or len(digits) > 20:
            raise self._fault(f"PAX record `mtime` is {_show(text)}")
        seconds = int(whole)
        return seconds - 1 if whole.startswith(b"-") and fraction.strip(b"0") else seconds

    def _read_header(self) -> _Header | None:
        self._skip(self._content_left + self._padding_left)
        self._content_left = self._padding_left = 0
        block = self._source.read(BLOCK_BYTES)
        if not block or block == _ZERO_BLOCK:
            return None
        if len(block) < BLOCK_BYTES:
            raise self._fault("ends inside a header")
        self._verify_checksum(block)
        self._position += BLOCK_BYTES
        return self._parse_header(block)

    def _parse_header(self, block: bytes) -> _Header:
        name, magic = block[:100].split(b"\0", 1)[0], block[257:265]
        if magic[:6] == b"ustar\0":
            end = 476 if block[508:512] == b"tar\0" else 500  # star keeps times behind a shorter prefix
            prefix = block[345:end].split(b"\0", 1)[0]
            name = prefix + b"/" + name if prefix else name
        size_bytes = self._number(block[124:136], "size", _MAX_SIZE_BYTES)
        type_flag = block[156:157]
        is_node = type_flag in (b"3", b"4")
        entry = TarEntry(
            path=name,
            kind="file",
            mode=self._number(block[100:108], "mode", 0xFFFFFFFF) & 0o7777,
            uid=self._number(block[108:116], "uid", 0xFFFFFFFE),
            gid=self._number(block[116:124], "gid", 0xFFFFFFFE),
            mtime=self._number(block[136:148], "mtime", _MAX_SIZE_BYTES, lowest=-_MAX_SIZE_BYTES),
            size_bytes=size_bytes,
            target=block[157:257].split(b"\0", 1)[0],
            device=(
                (self._number(block[329:337], "devmajor", 0xFFF), self._number(block[337:345], "devminor", 0xFFFFF))
                if is_node
                else (0, 0)
            ),
        )
        return _Header(type_flag, entry)

    def _read_metadata(self, header: _Header) -> bytes:
        """The content of an extended header."""
        size_bytes = header.entry.size_bytes
        if size_bytes > MAX_HEADER_BYTES:
            raise self._fault(f"an extended header has {size_bytes} bytes, at most {MAX_HEADER_BYTES} are read")
        data = self._take(size_bytes)
        self._skip(-size_bytes % BLOCK_BYTES)
        return data

    def _parse_records(self, data: bytes) -> dict[bytes, bytes]:
        """The records of a PAX header: `length key=value` and a newline each."""
        records: dict[bytes, bytes] = {}
        position = 0
        while position < len(data):
            space = data.find(b" ", position, position + 8)
            digits = data[position:space] if space > 0 else b""
            end = position + int(digits) if digits.isdigit() else 0
            key, equals, value = data[space + 1 : end - 1].partition(b"=")
            if end <= space + 1 or end > len(data) or data[end - 1 : end] != b"\n" or not equals or not key:
                raise self._fault("a PAX record is malformed")
            records[key] = value
            position = end
        return records

    def _number(self, field: bytes, what: str, highest: int, lowest: int = 0) -> int:
        """A number in octal, or in base 256 when its first bit is set (GNU)."""
        usual = field.rstrip(b" \0").lstrip(b" ")
        if usual.isdigit() and not usual.strip(_OCTAL_DIGITS):
            number = int(usual, 8)
        elif field[0] & 0x80:
            number = int.from_bytes(field, "big", signed=False) & ((1 << (8 * len(field) - 1)) - 1)
            if field[0] & 0x40:
                number -= 1 << (8 * len(field) - 1)
        else:
            digits = field.split(b"\0", 1)[0].strip(b" ")
            if digits.strip(_OCTAL_DIGITS):
                raise self._fault(f"field `{what}` is {_show(field)}, not an octal number")
            number = int(digits, 8) if digits else 0
        if not lowest <= number <= highest:
            raise self._fault(f"field `{what}` is out of range: {number}")
        return number

    def _verify_checksum(self, block: bytes) -> None:
        """The sum of all bytes with the checksum field as blanks; old tars summed signed bytes."""
        digits = block[148:156].strip(b" \0")
        stated = int(digits, 8) if digits and not digits.strip(_OCTAL_DIGITS) else -1
        unsigned = sum(block) - sum(block[148:156]) + 8 * 0x20
        if stated == unsigned:
            return
        blanked = block[:148] + b" " * 8 + block[156:]
        if stated != unsigned - 256 * sum(byte >= 0x80 for byte in blanked):
            raise self._fault("a header's checksum is wrong: this is no tar archive, or a damaged one")

    def _take(self, count: int) -> bytes:
        data = self._source.read(count)
        if len(data) < count:
            raise self._fault("is truncated")
        self._position += count
        return data

    def _skip(self, count: int) -> None:
        while count:
            step = min(count, _SKIP_BYTES)
            self._take(step)
            count -= step

    def _fault(self, what: str) -> ArchiveError:
        return ArchiveError(f"tar archive, byte {self._position}: {what}")


def _libarchive_xattr(key: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Libarchive's spelling of an attribute: the name percent-encoded, the value in base 64."""
    import base64  # noqa: PLC0415  (rare)
    import urllib.parse  # noqa: PLC0415

    name = urllib.parse.unquote_to_bytes(key[len(_LIBARCHIVE_XATTR) :])
    try:
        return name, base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except ValueError as error:
        raise ArchiveError(f"tar archive: attribute {_show(name)} is not base 64") from error


def _show(text: bytes) -> str:
    shown = text if len(text) <= 100 else text[:97] + b"..."
    return f"`{shown.decode('utf-8', 'backslashreplace')}`"
