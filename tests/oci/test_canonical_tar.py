import io
import tarfile
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labbox.oci.canonical_tar import END, TarEntry, encode_entry, opaque_marker, padding, sort_key, whiteout
from labbox.oci.tar_reader import TarReader

NAMES = st.lists(st.sampled_from([*b"ab.-\xff\xc3\xa4 =\n"]), min_size=1, max_size=130).map(bytes)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(b"/".join)
ENTRIES = st.builds(
    TarEntry,
    path=PATHS,
    kind=st.sampled_from(["directory", "symlink", "hardlink", "fifo", "character", "block", "file"]),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 2**32 - 2),
    gid=st.integers(0, 2**32 - 2),
    mtime=st.integers(-(2**40), 2**40),
    size_bytes=st.just(0),
    target=st.just(b""),
    device=st.just((0, 0)),
    xattrs=st.dictionaries(
        st.sampled_from([b"user.a", b"security.capability"]), st.binary(min_size=1, max_size=20)
    ).map(lambda items: tuple(sorted(items.items()))),
)


def complete(entry: Any, target: Any, device: Any) -> Any:
    if entry.kind in ("symlink", "hardlink"):
        return entry._replace(target=target)
    return entry._replace(device=device) if entry.kind in ("character", "block") else entry


@given(st.lists(st.builds(complete, ENTRIES, PATHS, st.tuples(st.integers(0, 4095), st.integers(0, 1048575)))))
@example([TarEntry(b"a/" + b"b" * 99, "directory", 0o755)])
@example([TarEntry(b"a" * 155 + b"/" + b"b" * 100, "file", 0o644)])
@example([TarEntry(b"a" * 156 + b"/" + b"b" * 100, "file", 0o644)])
def test_what_is_written_is_read_again(entries: Any) -> None:
    data = b"".join(encode_entry(entry) for entry in entries) + END
    assert list(TarReader(io.BytesIO(data))) == entries


def test_a_tar_of_ours_is_a_tar_for_others() -> None:
    long = b"d" * 90 + b"/" + b"e" * 90 + b"/" + "ü".encode() * 60
    entries = [
        TarEntry(b"bin", "directory", 0o755, mtime=7),
        TarEntry(long, "file", 0o4755, uid=1000, gid=70_000_000, mtime=1_700_000_000, size_bytes=5),
        TarEntry(b"link", "symlink", 0o777, target=b"x" * 120),
        TarEntry(b"again", "hardlink", 0o4755, target=long),
        TarEntry(b"null", "character", 0o666, device=(1, 3)),
    ]
    parts = [encode_entry(entry) + (b"hello" + padding(5) if entry.size_bytes else b"") for entry in entries]
    with tarfile.open(fileobj=io.BytesIO(b"".join(parts) + END)) as archive:
        members = archive.getmembers()
        content = archive.extractfile(members[1])
        assert content is not None
        assert content.read() == b"hello"
    assert [member.name for member in members] == ["bin", long.decode(), "link", "again", "null"]
    assert [member.type for member in members] == [b"5", b"0", b"2", b"1", b"3"]
    assert (members[1].mode, members[1].uid, members[1].gid, members[1].mtime) == (
        0o4755,
        1000,
        70_000_000,
        1_700_000_000,
    )
    assert members[2].linkname == "x" * 120
    assert (members[4].devmajor, members[4].devminor) == (1, 3)


def test_names_and_numbers_that_ustar_cannot_hold_stand_in_pax_records() -> None:
    with_records = encode_entry(TarEntry(b"f", "file", 0o644, size_bytes=8 << 30, mtime=-1, uid=3_000_000))
    assert len(with_records) == 3 * 512
    assert b"12 mtime=-1\n" in with_records
    assert b"19 size=8589934592\n" in with_records
    assert b"15 uid=3000000\n" in with_records
    assert len(encode_entry(TarEntry(b"f", "file", 0o644, size_bytes=(8 << 30) - 1))) == 512


def test_names_that_are_no_utf_8_say_so() -> None:
    assert b"21 hdrcharset=BINARY\n" in encode_entry(TarEntry(b"\xff" * 120, "file", 0o644))
    assert b"hdrcharset" not in encode_entry(TarEntry(b"\xff" * 20, "file", 0o644))


def test_the_order_is_depth_first_with_whiteouts_before_their_siblings() -> None:
    paths = [b"a", b"a/.wh..wh..opq", b"a/.wh.z", b"a/-", b"a/b", b"a-b", b"b"]
    assert sorted(set(paths), key=sort_key) == paths


def test_the_bytes_of_a_header_are_fixed() -> None:
    header = encode_entry(TarEntry(b"etc/passwd", "file", 0o644, 1, 2, 3, 4))
    expected = (
        b"etc/passwd".ljust(100, b"\0")
        + b"0000644\x000000001\x000000002\x0000000000004\x0000000000003\x00010160\x00 0".ljust(57, b"\0")
        + bytes(100)
        + b"ustar\x0000"
        + bytes(64)
        + b"0000000\0" * 2
        + bytes(167)
    )
    assert header[:148] == expected[:148]
    assert header[156:] == expected[156:]
    assert len(header) == 512


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        (whiteout(b"a/b"), b"a/.wh.b"),
        (whiteout(b"b"), b".wh.b"),
        (opaque_marker(b"a"), b"a/.wh..wh..opq"),
        (opaque_marker(b""), b".wh..wh..opq"),
    ],
)
def test_removal_is_an_empty_file_with_a_prefix(entry: Any, path: Any) -> None:
    assert (entry.path, entry.kind, entry.size_bytes) == (path, "file", 0)
