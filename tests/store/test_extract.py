"""Unpacking: what an archive says is made, and whatever it says, nothing outside its folder is touched."""

import io
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from harness.people import Person, current_person
from harness.workplace import Workplace
from labbox.errors import ArchiveError, StoreError
from labbox.files import remove_tree
from labbox.oci.canonical_tar import END, TarEntry, encode_entry
from labbox.oci.digest import sha256
from labbox.store import ownership
from labbox.store.extract import Extracted, LayerExtractor, extract_layer, extract_tree
from labbox.store.ownership import Ownership, SideEntry
from store.archives import Piece, file, folder, hardlink, node, symlink, tar
from store.people import run_as


class Place(NamedTuple):
    """A folder to unpack into, beside things that an archive must not touch, and who unpacks."""

    root: str
    person: Person
    mode: Ownership

    def unpack(self, *pieces: Piece) -> Extracted:
        """Unpack an archive of these pieces."""
        return self.unpack_bytes(tar(*pieces))

    def unpack_bytes(self, data: bytes) -> Extracted:
        """Unpack an archive."""
        return self.call(lambda: extract_layer(io.BytesIO(data), self.root, mode=self.mode))

    def call(self, function: Callable[[], Extracted]) -> Extracted:
        """Call a function as the person."""
        return run_as(self.person, function)

    def path(self, name: str) -> str:
        """Where a name of the archive is on disk."""
        return os.path.join(self.root, name)

    def read(self, name: str) -> bytes:
        """The content of a file of the archive."""
        return read_file(self.path(name))

    def tree(self) -> list[str]:
        """Every name that was made."""
        found = []
        for parent, folders, files in os.walk(self.root):
            found += [os.path.relpath(os.path.join(parent, name), self.root) for name in folders + files]
        return sorted(found)


def read_file(path: str) -> bytes:
    with open(path, "rb") as opened:
        return opened.read()


def snapshot(base: str) -> dict[str, tuple[object, ...]]:
    """Everything around the folder: names, kinds, modes, times, contents."""
    result: dict[str, tuple[object, ...]] = {}
    for parent, folders, files in os.walk(base):
        if parent == base:
            folders.remove("layer")
        for name in folders + files:
            path = os.path.join(parent, name)
            status = os.lstat(path)
            content = read_file(path) if stat.S_ISREG(status.st_mode) else b""
            kept = (status.st_mode, status.st_uid, status.st_mtime_ns, status.st_ino, content)
            result[os.path.relpath(path, base)] = kept
    return result


@pytest.fixture(params=["root", "ordinary user"])
def place(request: pytest.FixtureRequest, workplace: Workplace) -> Iterator[Place]:
    is_root = request.param == "root"
    if is_root and os.geteuid() != 0:
        pytest.skip("this test needs root")
    person = current_person() if is_root else workplace._person_for("single")
    base = tempfile.mkdtemp(prefix="extract-", dir=workplace.folder)
    os.chmod(base, 0o755)
    for name in ("layer", "outside"):
        os.mkdir(os.path.join(base, name))
    with open(os.path.join(base, "outside", "secret"), "wb") as secret:
        secret.write(b"untouched")
    for path in (base, *(os.path.join(base, name) for name in ("layer", "outside", "outside/secret"))):
        os.chown(path, person.uid, person.gid)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    before = snapshot(base)
    yield Place(os.path.join(base, "layer"), person, "kept" if is_root else "recorded")
    assert snapshot(base) == before
    remove_tree(base)


HOSTILE: dict[str, list[Piece]] = {
    "parent path": [file("../outside/secret", b"x")],
    "parent path inside a path": [folder("a"), file("a/../../outside/secret", b"x")],
    "absolute parent path": [file("/../outside/secret", b"x")],
    "only dots": [folder("..")],
    "root replaced by a symlink": [symlink(".", "../outside"), file("secret", b"x")],
    "root replaced by a symlink with a slash": [symlink("./", "../outside")],
    "root replaced by a file": [file(".", b"x")],
    "root replaced through dots": [folder("a"), symlink("a/..", "/tmp")],
    "hard link to a parent path": [hardlink("stolen", "../outside/secret")],
    "hard link to an absolute path outside": [hardlink("stolen", "/etc/passwd")],
    "hard link through a symlinked folder": [symlink("out", "../../outside"), hardlink("stolen", "out/secret")],
    "hard link to the root": [hardlink("a", ".")],
    "hard link to a folder": [folder("a"), hardlink("b", "a")],
    "hard link to itself": [hardlink("a", "a")],
    "hard link to nothing": [hardlink("a", "b")],
    "whiteout of the folder itself": [folder("a"), file("a/.wh.")],
    "whiteout of the folder by a dot": [folder("a"), file("a/.wh..")],
    "whiteout of the parent": [folder("a"), file("a/.wh...")],
    "file as a folder": [file("a", b"x"), file("a/b", b"y")],
    "pipe as a folder": [node("a", "fifo"), file("a/b", b"y")],
    "symlinks in a circle": [symlink("a", "b"), symlink("b", "a"), file("a/c", b"x")],
    "symlink onto itself": [symlink("a", "a/a/a"), file("a/c", b"x")],
    "symlinks that grow": [*(symlink(f"l{n}", f"l{n + 1}/l{n + 1}") for n in range(60)), file("l0/x", b"x")],
    "a name of 256 bytes": [file("n" * 256, b"x")],
    "a path of more than 4096 bytes": [file("/".join(["d" * 100] * 45), b"x")],
    "a path of ten thousand folders": [file("d/" * 10_000 + "f", b"x")],
    "a symlink target of more than 4096 bytes": [symlink("a", "t" * 5000)],
    "an empty symlink target": [symlink("a", "")],
    "a symlink that makes a path too long": [
        folder("/".join(["d" * 200] * 19)),
        symlink("s", "/".join(["d" * 200] * 19)),
        file("s/" + "/".join(["e" * 200] * 10) + "/f", b"x"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("pieces", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_archive_is_refused(place: Place, pieces: list[Piece]) -> None:
    with pytest.raises(ArchiveError):
        place.unpack(*pieces)


CONTAINED: dict[str, tuple[list[Piece], list[str]]] = {
    "absolute path": ([file("/etc/x", b"x")], ["etc", "etc/x"]),
    "dots and slashes": ([file(".//a/./b//../c", b"x")], ["a", "a/c"]),
    "symlinked parent, relative": (
        [symlink("out", "../../outside"), file("out/secret", b"x")],
        ["out", "outside", "outside/secret"],
    ),
    "symlinked parent, absolute": (
        [symlink("out", "/outside"), folder("out/secret")],
        ["out", "outside", "outside/secret"],
    ),
    "symlink over a symlinked parent": (
        [symlink("a", ".."), symlink("a/b", ".."), file("a/b/outside/secret", b"x")],
        ["a", "b", "outside", "outside/secret"],
    ),
    "file through a symlink of the same name": ([symlink("a", "../outside/secret"), file("a", b"x")], ["a"]),
    "folder over a symlink": ([symlink("a", "../outside"), folder("a"), file("a/secret", b"x")], ["a", "a/secret"]),
    "hard link to a symlink": ([symlink("a", "../outside/secret"), hardlink("b", "a"), file("b", b"x")], ["a", "b"]),
    "hard link over a symlink": (
        [file("f", b"x"), symlink("a", "../outside/secret"), hardlink("a", "f")],
        ["a", "f"],
    ),
    "opaque mark in a symlinked folder": (
        [symlink("a", "../../outside"), file("a/.wh..wh..opq")],
        ["a", "outside"],
    ),
    "whiteout in a symlinked folder": (
        [symlink("a", "../../outside"), file("a/.wh.secret")],
        ["a", "outside", "outside/secret"],
    ),
    "whiteout of a symlink": ([symlink("a", "../outside"), file(".wh.a")], ["a"]),
    "folder metadata through a symlink": (
        [folder("a"), symlink("a", "../outside"), folder("a/b", 0o777)],
        ["a", "outside", "outside/b"],
    ),
    "times through a symlink": ([symlink("a", "../outside/secret", mtime=5)], ["a"]),
    "pipe over a symlink": ([symlink("a", "../outside/secret"), node("a", "fifo")], ["a"]),
}  # fmt: skip


@pytest.mark.parametrize(("pieces", "expected"), CONTAINED.values(), ids=CONTAINED)
def test_what_looks_outside_stays_inside(place: Place, pieces: list[Piece], expected: list[str]) -> None:
    place.unpack(*pieces)
    assert place.tree() == expected


def test_files_keep_content_mode_and_time(place: Place) -> None:
    done = place.unpack(
        folder("d", 0o2750, mtime=11),
        file("d/f", b"hello", 0o4755, mtime=1_600_000_000),
        symlink("d/l", "f", mtime=12),
        node("d/p", "fifo", mode=0o640, mtime=13),
        hardlink("d/h", "d/f"),
    )
    assert place.read("d/f") == b"hello"
    assert done.entry_count == 5
    status = {name: os.lstat(place.path(name)) for name in ("d", "d/f", "d/l", "d/p", "d/h")}
    assert {name: int(entry.st_mtime) for name, entry in status.items()} == {
        "d": 11, "d/f": 1_600_000_000, "d/l": 12, "d/p": 13, "d/h": 1_600_000_000,
    }  # fmt: skip
    assert stat.S_IMODE(status["d"].st_mode) == 0o2750
    assert stat.S_IMODE(status["d/f"].st_mode) == 0o4755
    assert stat.S_IMODE(status["d/p"].st_mode) == 0o640
    assert stat.S_ISFIFO(status["d/p"].st_mode)
    assert status["d/h"].st_ino == status["d/f"].st_ino
    assert os.readlink(place.path("d/l")) == "f"


def test_times_before_1970_and_far_ahead_are_kept_as_far_as_the_disk_can(place: Place) -> None:
    place.unpack(file("old", b"", mtime=-5), file("far", b"", mtime=1 << 40))
    assert os.stat(place.path("old")).st_mtime == -5
    assert os.stat(place.path("far")).st_mtime > 1 << 31


def test_owners_are_kept_or_recorded(place: Place) -> None:
    done = place.unpack(
        folder("d", uid=7, gid=8), file("d/f", b"", uid=1, gid=2), symlink("d/l", "f", uid=3, gid=4), file("d/r", b"")
    )
    if place.mode == "kept":
        status = os.lstat(place.path("d/f"))
        assert (status.st_uid, status.st_gid) == (1, 2)
        assert os.lstat(place.path("d/l")).st_uid == 3
        assert os.lstat(place.path("d")).st_gid == 8
        assert done.side_table == {}
    else:
        assert os.getxattr(place.path("d/f"), "user.labbox.owner") == b"1:2"
        assert os.getxattr(place.path("d"), "user.labbox.owner") == b"7:8"
        assert os.listxattr(place.path("d/r")) == []
        assert done.side_table == {b"d/l": SideEntry(owner=(3, 4))}


def test_device_nodes_are_made_or_recorded(place: Place) -> None:
    done = place.unpack(node("null", "character", (1, 3), 0o666), node("sda", "block", (8, 0), uid=0, gid=6))
    status = os.lstat(place.path("null"))
    if place.mode == "kept":
        assert stat.S_ISCHR(status.st_mode)
        assert (os.major(status.st_rdev), os.minor(status.st_rdev)) == (1, 3)
        assert stat.S_ISBLK(os.lstat(place.path("sda")).st_mode)
    else:
        assert stat.S_ISREG(status.st_mode)
        assert os.getxattr(place.path("null"), "user.labbox.node") == b"c:1:3"
        assert os.getxattr(place.path("sda"), "user.labbox.node") == b"b:8:0"
        assert os.getxattr(place.path("sda"), "user.labbox.owner") == b"0:6"
    assert stat.S_IMODE(status.st_mode) == 0o666
    assert done.side_table == {}


CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")


def test_capabilities_and_the_images_own_attributes_are_kept_and_host_ones_are_not(place: Place) -> None:
    xattrs = (
        (b"security.capability", CAPABILITY),
        (b"security.selinux", b"x"),
        (b"trusted.overlay.opaque", b"y"),
        (b"user.labbox.node", b"b:8:0"),
        (b"user.labbox.owner", b"0:0"),
        (b"user.mime", b"text"),
        (b"user.overlay.redirect", b"/../../outside"),
    )
    done = place.unpack(file("f", b"x", xattrs=xattrs), folder("d", xattrs=xattrs))
    kept = set(os.listxattr(place.path("f")))
    assert kept - {"security.capability"} == {"user.mime"}
    assert "user.overlay.redirect" not in os.listxattr(place.path("d"))
    if place.mode == "kept":
        assert os.getxattr(place.path("f"), "security.capability") == CAPABILITY
    else:
        assert done.side_table[b"f"].xattrs == ((b"security.capability", CAPABILITY),)


def test_a_later_entry_of_the_same_name_wins(place: Place) -> None:
    place.unpack(
        file("a", b"first"), file("a", b"second"),
        folder("b"), file("b/x", b""), file("b", b"file now"),
        file("c", b""), folder("c"), file("c/x", b""), file("c", b"again"), folder("c", 0o700),
        folder("d", 0o700), file("d/x", b""), folder("d", 0o711),
        symlink("e", "a"), folder("e"),
    )  # fmt: skip
    assert place.tree() == ["a", "b", "c", "d", "d/x", "e"]
    assert place.read("a") == b"second"
    assert place.read("b") == b"file now"
    assert stat.S_IMODE(os.stat(place.path("d")).st_mode) == 0o711
    assert stat.S_ISDIR(os.lstat(place.path("e")).st_mode)


def test_a_hard_link_is_not_written_through(place: Place) -> None:
    place.unpack(file("a", b"first"), hardlink("b", "a"), file("b", b"second"))
    assert (place.read("a"), place.read("b")) == (b"first", b"second")


def test_folders_that_the_archive_does_not_name_are_usual_ones(place: Place) -> None:
    place.unpack(file("a/b/c", b"", mtime=77))
    for name in ("a", "a/b"):
        status = os.stat(place.path(name))
        assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o755, 77)


def test_the_root_entry_sets_the_roots_mode(place: Place) -> None:
    place.unpack(folder("./", 0o711, mtime=5), file("a", b""))
    assert stat.S_IMODE(os.stat(place.root).st_mode) == 0o711


def test_folders_without_permissions_can_be_filled(place: Place) -> None:
    place.unpack(folder("a", 0o000), folder("a/b", 0o500), file("a/b/c", b"x", 0o000))
    assert stat.S_IMODE(os.stat(place.path("a")).st_mode) == 0o000


def is_whiteout(path: str) -> bool:
    status = os.lstat(path)
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def test_whiteouts_become_what_overlayfs_understands(place: Place) -> None:
    place.unpack(folder("a"), file("a/.wh.gone"), file("a/.wh..wh..opq"), file(".wh.top"), folder("b"))
    assert is_whiteout(place.path("a/gone"))
    assert is_whiteout(place.path("top"))
    assert os.getxattr(place.path("a"), "user.overlay.opaque") == b"y"
    assert os.listxattr(place.path("b")) == []


@pytest.mark.parametrize("order", [0, 1])
def test_a_whiteout_never_hides_its_own_layer(place: Place, order: int) -> None:
    pieces = [file(".wh.f"), file("f", b"new")]
    place.unpack(*(pieces if order == 0 else pieces[::-1]))
    assert place.read("f") == b"new"


@pytest.mark.parametrize("order", [0, 1, 2])
def test_a_folder_beside_its_whiteout_hides_what_is_below(place: Place, order: int) -> None:
    orders = [
        [file(".wh.d"), folder("d"), file("d/x", b"")],
        [folder("d"), file("d/x", b""), file(".wh.d")],
        [file(".wh.d"), file("d/x", b"")],
    ]
    place.unpack(*orders[order])
    assert os.getxattr(place.path("d"), "user.overlay.opaque") == b"y"
    assert place.tree() == ["d", "d/x"]


def test_notes_of_aufs_are_passed_over(place: Place) -> None:
    place.unpack(file(".wh..wh.aufs"), folder(".wh..wh.plnk"), file(".wh..wh.orph/x", b""), file("a", b""))
    assert "a" in place.tree()


def test_marked_whiteouts_stand_in_where_devices_are_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "mknod", refuse)
    place.unpack(folder("a"), file("a/.wh.gone"), folder("b"), file("b/.wh.x"), file("b/.wh..wh..opq"))
    assert os.getxattr(place.path("a/gone"), ownership.OVERLAY_WHITEOUT_XATTR) == b"y"
    assert os.getxattr(place.path("a"), "user.overlay.opaque") == b"x"
    assert os.getxattr(place.path("b"), "user.overlay.opaque") == b"y"
    assert not os.path.exists(place.path("b/x"))


def test_a_plain_tree_has_no_whiteouts(place: Place) -> None:
    data = tar(file(".wh.name", b"kept"))
    run_as(place.person, lambda: extract_tree(io.BytesIO(data), place.root, mode=place.mode))
    assert place.read(".wh.name") == b"kept"


def test_the_digest_covers_every_byte_of_the_stream(place: Place) -> None:
    data = tar(file("a", b"x")) + bytes(10_000)
    done = place.unpack_bytes(data)
    assert done.diff_id == sha256(data)
    assert done.tar_bytes == len(data)


@pytest.mark.parametrize("cut", [1, 511, 700, 1500])
def test_a_truncated_archive_is_refused(place: Place, cut: int) -> None:
    data = tar(file("a", b"x" * 5000))
    with pytest.raises(ArchiveError):
        place.unpack_bytes(data[: len(data) - len(END) - cut])


def test_a_file_larger_than_the_disk_is_refused_before_it_is_written(place: Place) -> None:
    data = encode_entry(TarEntry(b"huge", "file", 0o644, size_bytes=1 << 50))
    with pytest.raises(StoreError, match="no space left on"):
        place.unpack_bytes(data)
    assert place.tree() == []


def test_too_many_entries_are_a_bomb(place: Place) -> None:
    data = tar(*(file(f"f{n}", b"") for n in range(20)))
    with pytest.raises(ArchiveError, match="more than 10 entries"):
        place.call(lambda: extract_layer(io.BytesIO(data), place.root, mode=place.mode, max_entries=10))


def test_a_deep_tree_does_not_exhaust_the_stack(place: Place) -> None:
    depth = 250
    place.unpack(file("d/" * depth + "f", b"x"))
    assert depth * 2 < sys.getrecursionlimit()
    assert place.read("d/" * depth + "f") == b"x"


def test_an_extractor_leaves_no_descriptors_behind(place: Place) -> None:
    def count() -> Extracted:
        before = len(os.listdir("/proc/self/fd"))
        pieces = [file(f"d{n}/f", b"x") for n in range(100)]
        extract_layer(io.BytesIO(tar(*pieces, symlink("d1/l", "x"))), place.root, mode=place.mode)
        assert len(os.listdir("/proc/self/fd")) == before
        with LayerExtractor(place.root, mode=place.mode):
            pass
        assert len(os.listdir("/proc/self/fd")) == before
        return Extracted(sha256(b""), 0, 0, {})

    place.call(count)
