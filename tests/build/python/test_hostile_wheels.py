"""Wheels that lie: each is refused with the wheel's name and the member's."""

import os
import stat
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from build.python.installed import describe, install
from build.python.wheels import NAME, Lie, lying_wheel, plain_wheel, raw_deflate, write_zip
from labbox.errors import ArchiveError

GOOD = Lie("good.py", b"good = True\n" * 20)
DIST = "sample-1.0.dist-info"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def refuse(folder: Any, data: bytes, message: str, file_name: str = NAME) -> None:
    with pytest.raises(ArchiveError, match=message) as caught:
        install(folder, data, file_name)
    assert file_name in caught.value.message


def test_an_honest_wheel_is_installed(folder: Path) -> None:
    root = install(folder, lying_wheel(GOOD, Lie("folder/", mode=stat.S_IFDIR | 0o755)))
    assert (Path(root) / "opt/env/lib/python3.13/site-packages/good.py").read_bytes() == GOOD.content


@pytest.mark.parametrize("where", ["central", "local"])
@pytest.mark.parametrize("field", ["crc", "size", "compressed", "method", "name"])
def test_two_opinions_on_a_member_are_refused(folder: Path, where: str, field: str) -> None:
    lies = {"crc": 1, "size": 3, "compressed": 3, "method": 0, "name": b"evil.py"}
    lie = {field: lies[field]}
    liar = GOOD._replace(central=lie) if where == "central" else GOOD._replace(local=lie)
    refuse(folder, lying_wheel(liar), r"evil\.py|good\.py")


@pytest.mark.parametrize(
    ("field", "lie"), [("crc", 1), ("size", len(GOOD.content) - 1), ("size", len(GOOD.content) + 1)]
)
def test_a_lie_that_both_headers_tell_is_refused(folder: Path, field: str, lie: int) -> None:
    row = f"good.py,sha256=AAAA,\n{DIST}/METADATA,sha256=x,\n{DIST}/WHEEL,sha256=x,\n".encode()
    liar = GOOD._replace(central={field: lie}, local={field: lie})
    refuse(folder, lying_wheel(liar, record=row), r"good\.py")


@pytest.mark.parametrize("size", [20, 3_000_000])
def test_data_behind_the_end_of_a_member_are_refused(folder: Path, size: int) -> None:
    content = os.urandom(size)
    refuse(folder, lying_wheel(Lie("a.bin", content, data=raw_deflate(content) + b"more")), "behind its end")


@pytest.mark.parametrize("size", [20, 3_000_000])
def test_data_that_end_early_are_refused(folder: Path, size: int) -> None:
    content = os.urandom(size)
    refuse(folder, lying_wheel(Lie("a.bin", content, data=raw_deflate(content)[:-3])), r"a\.bin")


@pytest.mark.parametrize("size", [20, 3_000_000])
def test_damaged_data_are_refused(folder: Path, size: int) -> None:
    refuse(folder, lying_wheel(Lie("a.bin", b"a" * size, data=b"\xff" * 99)), r"a\.bin")


@pytest.mark.parametrize("factor", [1, 30_000])
def test_content_that_recorded_hashes_do_not_know_is_refused(folder: Path, factor: int) -> None:
    liar = GOOD._replace(content=GOOD.content * factor)
    rows = f"good.py,sha256=AAAA,{len(liar.content)}\n{DIST}/METADATA,sha256=x,\n{DIST}/WHEEL,sha256=x,\n".encode()
    refuse(folder, lying_wheel(liar, record=rows), r"good\.py.*RECORD says")


@pytest.mark.parametrize(
    "name",
    [
        "../evil", "a/../../evil", "/etc/passwd", "a//b", "./a", "a/./b", "..", "a\\b", "C:\\x", "a\0b", "a\nb",
        ".wh.gone", "a/.wh..wh..opq", "x" * 256, "/".join(["deep"] * 300), "\u202egpj.exe",
    ],
)  # fmt: skip
def test_names_that_are_no_plain_paths_are_refused(folder: Path, name: str) -> None:
    refuse(folder, lying_wheel(Lie(name, b"x")), "member")


def test_names_whose_letters_depend_on_the_reader_are_refused(folder: Path) -> None:
    refuse(folder, lying_wheel(Lie("ä.py", b"x", central={"flags": 0}, local={"flags": 0})), "cannot be read")


def test_names_in_utf8_are_welcome(folder: Path) -> None:
    root = install(folder, lying_wheel(Lie("ä/ü.py", b"x")))
    assert (Path(root) / "opt/env/lib/python3.13/site-packages/ä/ü.py").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFDIR])
def test_members_that_are_no_files_are_refused(folder: Path, kind: int) -> None:
    refuse(folder, lying_wheel(Lie("a", b"/etc/passwd", mode=kind | 0o777)), "`a` is")


def test_encrypted_members_are_refused(folder: Path) -> None:
    refuse(folder, lying_wheel(GOOD._replace(central={"flags": 1})), "encrypted")


def test_unknown_flags_and_methods_are_refused(folder: Path) -> None:
    refuse(folder, lying_wheel(GOOD._replace(central={"flags": 0x2000})), "unknown flags")
    refuse(folder, lying_wheel(GOOD._replace(central={"method": 93}, local={"method": 93})), "compression method 93")


def test_a_name_that_is_there_twice_is_refused(folder: Path) -> None:
    refuse(folder, lying_wheel(GOOD, GOOD), r"two members `good\.py`")


def test_a_file_that_is_also_a_folder_is_refused(folder: Path) -> None:
    refuse(folder, lying_wheel(Lie("a", b"1"), Lie("a/b", b"2")), "is a file, and the folder of")


def test_members_that_overlap_are_refused(folder: Path) -> None:
    other = Lie("twin.py", GOOD.content, central={"offset": 0})
    refuse(folder, lying_wheel(GOOD, other), "overlaps|is called")


def test_a_member_that_lies_in_another_is_refused(folder: Path) -> None:
    inner = write_zip([Lie("inner.py", b"x" * 10)])
    outer = Lie("outer.bin", inner * 3, method=0)
    offset = 30 + len("outer.bin")
    hidden = Lie("inner.py", b"x" * 10, central={"offset": offset})
    refuse(folder, lying_wheel(outer, hidden), r"overlaps")


def test_a_bomb_is_refused_before_anything_is_written(folder: Path) -> None:
    lies = {"size": 1 << 31}
    refuse(folder, lying_wheel(GOOD._replace(central=lies, local=lies), record=b""), "bomb")


def test_a_small_bomb_stops_where_the_wheel_says_it_ends(folder: Path) -> None:
    bomb = raw_deflate(bytes(300 << 20))
    liar = Lie("zeros", bytes(10), data=bomb)
    refuse(folder, lying_wheel(liar), "unpacks to more than 10 bytes")


def test_a_zip_with_something_around_it_is_refused(folder: Path) -> None:
    refuse(folder, lying_wheel(GOOD, comment=b"a comment"), "comment")
    shifted = write_zip([GOOD], before=b"#!/bin/sh\n", start=1)
    refuse(folder, shifted, "before its zip|damaged")
    refuse(folder, lying_wheel(GOOD) + b"\0", "end record")
    refuse(folder, b"", "no zip file")
    refuse(folder, lying_wheel(GOOD)[:-30], "end record")


def test_a_directory_that_miscounts_is_refused(folder: Path) -> None:
    refuse(folder, lying_wheel(GOOD, count=9), "says 9")


def zip64(sizes: bytes) -> dict[str, Any]:
    return {"extra": struct.pack("<HH", 1, len(sizes)) + sizes}


def test_zip64_lengths_are_read(folder: Path) -> None:
    data = raw_deflate(GOOD.content)
    wide = {**zip64(struct.pack("<QQ", len(GOOD.content), len(data))), "size": 0xFFFFFFFF, "compressed": 0xFFFFFFFF}
    root = install(folder, lying_wheel(GOOD._replace(central=wide, local=wide)))
    assert (Path(root) / "opt/env/lib/python3.13/site-packages/good.py").read_bytes() == GOOD.content


def test_zip64_that_lies_is_refused(folder: Path) -> None:
    wide = {**zip64(struct.pack("<QQ", 1 << 40, 1 << 40)), "size": 0xFFFFFFFF, "compressed": 0xFFFFFFFF}
    refuse(folder, lying_wheel(GOOD._replace(central=wide, local=wide)), r"overlaps|bomb")
    missing = {"size": 0xFFFFFFFF}
    refuse(folder, lying_wheel(GOOD._replace(central=missing)), "no zip64 lengths")


def test_a_wheel_that_is_another_than_its_name_says_is_refused(folder: Path) -> None:
    data = plain_wheel({"a.py": b""})
    refuse(folder, data, "other", "other-1.0-py3-none-any.whl")
    refuse(folder, data, "2.0", "sample-2.0-py3-none-any.whl")


def test_a_record_that_is_not_right_is_refused(folder: Path) -> None:
    refuse(folder, lying_wheel(GOOD, record=b""), r"no hash of member")
    refuse(folder, lying_wheel(GOOD, record=b"good.py,sha256=AA,1\n"), "1 by RECORD")
    refuse(folder, lying_wheel(GOOD, record=b"good.py,md5=AA,\n"), "sha256 or better")
    refuse(folder, lying_wheel(GOOD, record=b"good.py,sha256=AA,\ngood.py,sha256=BB,\n"), "two different rows")
    refuse(folder, lying_wheel(GOOD, record=b"\xff"), "cannot be read")


def test_metadata_that_is_missing_is_refused(folder: Path) -> None:
    refuse(folder, write_zip([GOOD]), "0 folders")
    refuse(folder, write_zip([Lie(f"{DIST}/RECORD", b"")]), "METADATA")


@pytest.mark.parametrize(
    "entry_points",
    [
        "[console_scripts]\n../../evil = a:b\n", "[console_scripts]\nx = a;import os:b\n", "[console_scripts]\nx = a\n",
        "[console_scripts]\nx = a:b(1)\n", "[console_scripts\n", "[gui_scripts]\na/b = a:b\n",
    ],
)  # fmt: skip
def test_launchers_that_cannot_be_made_are_refused(folder: Path, entry_points: str) -> None:
    refuse(folder, plain_wheel({}, entry_points=entry_points), r"launcher|entry_points")


@pytest.mark.parametrize("path", ["scripts/python", "scripts/python3.13", "data/pyvenv.cfg", "data/bin/python3"])
def test_a_wheel_may_not_replace_the_environment_itself(folder: Path, path: str) -> None:
    refuse(folder, plain_wheel({f"sample-1.0.data/{path}": b"x"}), "of the environment itself")


def test_an_unknown_place_is_refused(folder: Path) -> None:
    refuse(folder, plain_wheel({"sample-1.0.data/secrets/x": b"x"}), "unknown place")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_changed_byte_is_refused_or_means_nothing(folder: Path, data: st.DataObject) -> None:
    """Whatever is flipped: either the very same files come out, or the wheel is refused."""
    whole = plain_wheel({"a.py": b"print()\n" * 9, "b/c.txt": b"text"}, entry_points="[console_scripts]\nx = a:b\n")
    position = data.draw(st.integers(0, len(whole) - 1))
    value = data.draw(st.integers(0, 255))
    other = whole[:position] + bytes([value]) + whole[position + 1 :]
    try:
        root = install(folder, other)
    except ArchiveError:
        return
    assert describe(root) == describe(install(folder, whole))
