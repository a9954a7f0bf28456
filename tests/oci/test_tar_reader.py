import contextlib
import io
import tarfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbox.errors import ArchiveError
from labbox.oci.canonical_tar import END, TarEntry, encode_entry
from labbox.oci.tar_reader import MAX_HEADER_BYTES, TarReader


def read_all(data: bytes) -> Any:
    entries = []
    reader = TarReader(io.BytesIO(data))
    for entry in reader:
        content = b""
        while more := reader.read(3):
            content += more
        entries.append((entry, content))
    return entries


def with_checksum(header: Any) -> Any:
    blank = header[:148] + b" " * 8 + header[156:]
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]


def patched(entry: Any, offset: Any, field: Any) -> Any:
    header = bytearray(encode_entry(entry))
    header[offset : offset + len(field)] = field
    return with_checksum(bytes(header))


def extended(type_flag: bytes, body: Any, *, size: Any = None) -> Any:
    name = b"x".ljust(100, b"\0")
    start = name + b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % (len(body) if size is None else size)
    header = (start + b"00000000000\0" + b" " * 8 + type_flag).ljust(257, b"\0") + b"ustar\x0000"
    return with_checksum(header.ljust(512, b"\0")) + body + bytes(-len(body) % 512)


FILE = TarEntry(b"f", "file", 0o644)


@pytest.mark.parametrize("dialect", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_dialect_of_python_is_read(dialect: int) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=dialect) as archive:
        for name, content in (("a/b", b"hello"), ("p" * 90 + "/" + "q" * 90, b""), ("empty", b"")):
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.uid, info.gid, info.mtime = len(content), 0o4711, 70000, 5, 1_600_000_000
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "a/b"
        archive.addfile(link)
    entries = read_all(buffer.getvalue())
    assert [entry.path for entry, _ in entries] == [b"a/b", b"p" * 90 + b"/" + b"q" * 90, b"empty", b"link"]
    first, content = entries[0]
    assert content == b"hello"
    assert (first.mode, first.uid, first.gid, first.mtime) == (0o4711, 70000, 5, 1_600_000_000)
    assert (entries[3][0].kind, entries[3][0].target) == ("symlink", b"a/b")


def test_gnu_long_names_and_links_are_read() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        info = tarfile.TarInfo("n" * 300)
        info.type, info.linkname = tarfile.SYMTYPE, "t" * 300
        archive.addfile(info)
    ((entry, _),) = read_all(buffer.getvalue())
    assert (entry.path, entry.target) == (b"n" * 300, b"t" * 300)


def test_numbers_in_base_256_are_read() -> None:
    data = patched(FILE, 108, b"\x80\0\0\0\x7f\xff\xff\xff") + END
    assert read_all(data)[0][0].uid == 0x7FFFFFFF
    negative_time = patched(FILE, 136, b"\xff" * 12) + END
    assert read_all(negative_time)[0][0].mtime == -1


def test_pax_records_win_over_headers_and_global_ones_last() -> None:
    body = b"12 uid=4242\n" + b"13 path=pax/\n" + b"15 mtime=-1.25\n"
    data = extended(b"g", b"10 gid=77\n") + extended(b"x", body) + encode_entry(FILE) + encode_entry(FILE) + END
    (first, _), (second, _) = read_all(data)
    assert (first.path, first.kind, first.uid, first.gid, first.mtime) == (b"pax", "directory", 4242, 77, -2)
    assert (second.path, second.uid, second.gid) == (b"f", 0, 77)


def test_extended_attributes_are_read_in_both_spellings() -> None:
    records = [(b"SCHILY.xattr.user.a", b"1\n\x00"), (b"LIBARCHIVE.xattr.user.b%20c", b"AQI")]
    body = b"".join(b"%d %b=%b\n" % (len(key) + len(value) + 5, key, value) for key, value in records)
    ((entry, _),) = read_all(extended(b"x", body) + encode_entry(FILE) + END)
    assert entry.xattrs == ((b"user.a", b"1\n\x00"), (b"user.b c", b"\x01\x02"))


def test_an_archive_without_its_end_marker_is_whole_when_it_ends_between_entries() -> None:
    assert [entry.path for entry, _ in read_all(encode_entry(FILE))] == [b"f"]
    assert read_all(b"") == []


def test_an_old_folder_is_a_file_whose_name_ends_in_a_slash() -> None:
    assert read_all(patched(FILE, 0, b"f/") + END)[0][0].kind == "directory"


CONTENT = encode_entry(FILE._replace(size_bytes=700)) + bytes(1024)


@pytest.mark.parametrize(
    ("name", "data", "fault"),
    [
        ("cut in a header", encode_entry(FILE)[:300], "ends inside a header"),
        ("cut in content", CONTENT[:900], "is truncated"),
        ("cut in padding", CONTENT[:1300], "is truncated"),
        ("no tar at all", b"\x7fELF" + bytes(600), "checksum is wrong"),
        ("text", b"hello world\n" * 60, "checksum is wrong"),
        ("bad checksum", encode_entry(FILE).replace(b"f", b"g", 1), "checksum is wrong"),
        ("letters as size", patched(FILE, 124, b"0000000zzzz\0"), "field `size`"),
        ("python digits as size", patched(FILE, 124, b"0000000_1_1\0"), "field `size`"),
        ("negative size", patched(FILE, 124, b"\xff" * 12), "field `size` is out of range"),
        ("huge size", patched(FILE, 124, b"\x80" + b"\xff" * 11), "field `size` is out of range"),
        ("sparse", patched(FILE, 156, b"S"), "type `S` of `f` is not supported"),
        ("multi-volume", patched(FILE, 156, b"M"), "type `M`"),
        ("unknown type", patched(FILE, 156, b"\xc3"), "is not supported"),
        ("no name", patched(FILE, 0, b"\0"), "is empty"),
        ("pax sparse", extended(b"x", b"22 GNU.sparse.major=1\n") + encode_entry(FILE), "sparse file"),
        ("pax without end", extended(b"x", b"99 path=a\n") + encode_entry(FILE), "a PAX record is malformed"),
        ("pax without equals", extended(b"x", b"7 path\n") + encode_entry(FILE), "a PAX record is malformed"),
        ("pax length zero", extended(b"x", b"0 path=a\n") + encode_entry(FILE), "a PAX record is malformed"),
        ("pax length of signs", extended(b"x", b"+9 path=a\n") + encode_entry(FILE), "a PAX record is malformed"),
        ("pax negative size", extended(b"x", b"11 size=-1\n") + encode_entry(FILE), "PAX record `size`"),
        ("pax zero byte", extended(b"x", b"12 path=a\0b\n") + encode_entry(FILE), "holds a zero byte"),
        ("pax huge time", extended(b"x", b"40 mtime=" + b"9" * 30 + b"\n") + encode_entry(FILE), "PAX record `mtime`"),
        ("pax alone", extended(b"x", b"10 gid=77\n") + END, "ends after an extended header"),
        ("pax bomb", extended(b"x", b"", size=MAX_HEADER_BYTES + 1), "an extended header has"),
        ("long name bomb", extended(b"L", b"", size=1 << 32), "an extended header has"),
        ("truncated long name", extended(b"L", b"abc", size=600), "is truncated"),
    ],
)  # fmt: skip
def test_a_malformed_archive_is_refused(name: str, data: bytes, fault: str) -> None:
    with pytest.raises(ArchiveError) as caught:
        read_all(data)
    assert fault in caught.value.message


@given(st.binary(max_size=2000))
def test_no_bytes_raise_anything_but_an_archive_error(data: bytes) -> None:
    with contextlib.suppress(ArchiveError):
        read_all(data)


@given(st.data())
def test_no_damaged_archive_raises_anything_but_an_archive_error(data: st.DataObject) -> None:
    whole = bytearray(
        extended(b"g", b"10 gid=77\n")
        + extended(b"x", b"12 uid=4242\n")
        + encode_entry(TarEntry(b"a" * 200, "file", 0o644, size_bytes=5))
        + b"hello".ljust(512, b"\0")
        + END
    )
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(whole) - 1))
        whole[position] = data.draw(st.integers(0, 255))
    fixed = with_checksum(bytes(whole[:512])) + bytes(whole[512:])
    with contextlib.suppress(ArchiveError):
        read_all(fixed)
