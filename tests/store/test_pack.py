import io
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from labbox.errors import ArchiveError
from labbox.oci.digest import sha256
from labbox.store.extract import extract_layer
from labbox.store.ownership import ownership_of
from labbox.store.pack import pack_tree
from store.archives import file, folder, hardlink, node, symlink, tar
from store.people import Keeper

CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")

# In canonical order, with everything that a mode may have to record instead of make.
PIECES = [
    folder("dev", mtime=1),
    node("dev/console", "character", (5, 1), 0o620, uid=0, gid=5, mtime=2),
    node("dev/disk", "block", (259, 7), 0o660, gid=6, mtime=2),
    node("dev/pipe", "fifo", mode=0o640, uid=9, gid=9, mtime=3),
    file("empty", b"", 0o000, mtime=6),
    folder("etc", mtime=4),
    file("etc/.wh..wh..opq", mode=0),
    file("etc/.wh.removed", mode=0),
    file("etc/shadow", b"root:*:1::::::\n", 0o640, gid=42, mtime=5),
    folder("home", mtime=7),
    folder("home/dev", 0o700, uid=1000, gid=1000, mtime=8),
    file("home/dev/big", b"0123456789" * 150_000, uid=1000, gid=1000, mtime=9),
    symlink("home/dev/link", "../../etc", uid=1000, gid=1000, mtime=10),
    file("ping", b"\x7fELF", 0o4755, mtime=11, xattrs=((b"security.capability", CAPABILITY), (b"user.mime", b"x"))),
    folder("tmp", 0o1777, mtime=12),
    folder("usr", mtime=12),
    file("usr/a", b"linked", 0o2755, uid=3, mtime=13),
    (hardlink("usr/b", "usr/a")[0]._replace(mode=0o2755, uid=3, mtime=13), b""),
    file("usr-x", b"after usr in this order", mtime=14),
]


def test_a_layer_packs_to_the_same_bytes_in_every_mode(keeper: Keeper) -> None:
    data = tar(*PIECES)
    record, packed = keeper.run(
        lambda layers, _: (
            record := layers.unpack(io.BytesIO(data)),
            layers.run_mapped(
                lambda: pack_tree(
                    layers.directory(record.diff_id),
                    mode=ownership_of(layers.mode),
                    side_table=layers.side_table(record.diff_id),
                )
            ),
        )
    )
    assert record.diff_id == sha256(data)
    assert packed.diff_id == record.diff_id
    assert packed.size_bytes == len(data)
    assert packed.entry_count == len(PIECES)


@pytest.fixture
def tree(tmp_path: Path) -> Any:
    root = tmp_path / "tree"
    root.mkdir()
    return root


def pack(tree: Path, **options: Any) -> Any:
    buffer = io.BytesIO()
    packed = pack_tree(str(tree), write=buffer.write, **options)
    assert packed.diff_id == sha256(buffer.getvalue())
    assert packed.size_bytes == len(buffer.getvalue())
    with tarfile.open(fileobj=io.BytesIO(buffer.getvalue())) as archive:
        return archive.getmembers()


def test_entries_stand_depth_first_whatever_the_disk_says(tree: Path) -> None:
    for name in ("b", "a-b", "a", "a/z", "a/y"):
        (tree / name).mkdir()
    assert [member.name for member in pack(tree)] == ["a", "a/y", "a/z", "a-b", "b"]


def test_times_are_clamped(tree: Path) -> None:
    (tree / "old").touch()
    (tree / "new").touch()
    os.utime(tree / "old", ns=(5_999_999_999, 5_999_999_999))
    assert {member.name: member.mtime for member in pack(tree, newest=100)} == {"old": 5, "new": 100}


def test_hard_links_point_at_the_first_name(tree: Path) -> None:
    (tree / "z").write_bytes(b"content")
    os.link(tree / "z", tree / "a")
    os.link(tree / "z", tree / "m")
    members = pack(tree)
    assert [(member.name, member.type, member.linkname) for member in members] == [
        ("a", b"0", ""), ("m", b"1", "a"), ("z", b"1", "a"),
    ]  # fmt: skip


def test_sockets_are_left_out(tree: Path) -> None:
    os.mknod(tree / "socket", stat.S_IFSOCK | 0o600)
    (tree / "file").touch()
    assert [member.name for member in pack(tree)] == ["file"]


def test_marks_of_the_overlay_and_of_labbox_are_left_out(tree: Path) -> None:
    (tree / "f").write_bytes(b"x")
    for name in ("user.overlay.origin", "user.labbox.owner", "user.kept"):
        os.setxattr(tree / "f", name, b"1:1")
    (member,) = pack(tree)
    assert member.uid == os.getuid()
    assert [key for key in member.pax_headers if "xattr" in key] == ["SCHILY.xattr.user.kept"]


def test_a_name_that_would_remove_something_is_refused(tree: Path) -> None:
    (tree / ".wh.x").touch()
    with pytest.raises(ArchiveError, match=r"names starting with `\.wh\.` remove"):
        pack(tree)


def test_marked_whiteouts_are_whiteouts_and_marked_files_elsewhere_are_files(tree: Path) -> None:
    for name, mark in (("a", b"x"), ("b", b"")):
        (tree / name).mkdir()
        (tree / name / "f").touch()
        os.setxattr(tree / name / "f", "user.overlay.whiteout", b"y")
        if mark:
            os.setxattr(tree / name, "user.overlay.opaque", mark)
    assert [member.name for member in pack(tree)] == ["a", "a/.wh.f", "b", "b/f"]


def test_a_symlink_is_never_followed(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("x")
    (tree / "link").symlink_to(tmp_path / "outside")
    assert [member.name for member in pack(tree)] == ["link"]


def test_a_tree_deeper_than_a_path_may_be_long_is_packed(tree: Path) -> None:
    here = os.open(tree, os.O_RDONLY)
    for _ in range(90):
        os.mkdir("d" * 60, dir_fd=here)
        here, last = os.open("d" * 60, os.O_RDONLY, dir_fd=here), here
        os.close(last)
    os.close(here)
    assert len(pack(tree)) == 90


def test_a_file_that_shrinks_meanwhile_leaves_a_whole_archive(tree: Path) -> None:
    (tree / "f").write_bytes(b"x" * 3_000_000)
    pieces = []

    def shrink(data: Any) -> Any:
        pieces.append(bytes(data))
        os.truncate(tree / "f", 1_500_000)

    packed = pack_tree(str(tree), write=shrink)
    target = tree.parent / "again"
    target.mkdir()
    assert extract_layer(io.BytesIO(b"".join(pieces)), str(target), mode="kept").diff_id == packed.diff_id
    assert (target / "f").stat().st_size == 3_000_000
