import hashlib
import os
import tarfile
from pathlib import Path

import pytest

from build.debian.rooms import call_in_room
from labbox.build.debian.unpack import Attributes, UnpackedPackage, Unpacker
from labbox.errors import PackageError, UnsupportedError
from labbox.packages.debian.deb_file import open_deb
from packages.debian.debs import file_member, folder_member, link_member, make_deb

_EPOCH = 1_700_000_000


def _unpack(
    root: Path, *members: tuple[tarfile.TarInfo, bytes], conffiles: frozenset[str] = frozenset(), **options: object
) -> UnpackedPackage:
    root.mkdir(exist_ok=True)
    path = root.parent / "a.deb"
    path.write_bytes(make_deb("Package: a\n", members))
    deb = open_deb(os.open(path, os.O_RDONLY), "a.deb")
    unpacker = Unpacker(ownership="recorded", newest=_EPOCH, **options)  # type: ignore[arg-type]
    return call_in_room(str(root), lambda: unpacker.unpack(deb, "a", conffiles))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def test_files_have_their_content_mode_and_time(root: Path) -> None:
    young, old = file_member("/a", b"x" * 3_000_000, mtime=_EPOCH + 1), file_member("/b", b"", mode=0o4755, mtime=5)
    _unpack(root, young, old)
    assert (root / "a").read_bytes() == b"x" * 3_000_000
    assert (root / "a").stat().st_mtime == _EPOCH
    assert ((root / "b").stat().st_mode & 0o7777, (root / "b").stat().st_mtime) == (0o4755, 5)


def test_what_came_is_told(root: Path) -> None:
    result = _unpack(
        root,
        folder_member("/etc", mode=0o750, gid=42),
        file_member("/etc/a", b"setting"),
        file_member("/etc/b", b""),
        conffiles=frozenset({"/etc/a"}),
    )
    assert result.paths == ["/etc", "/etc/a", "/etc/b"]
    assert result.files == ["/etc/a", "/etc/b"]
    assert result.folders == {"/etc": Attributes(mode=0o750, uid=0, gid=42)}
    assert result.made == ["/etc"]
    assert result.conffiles == {"/etc/a": hashlib.md5(b"setting", usedforsecurity=False).hexdigest()}


def test_another_owner_is_recorded(root: Path) -> None:
    _unpack(root, file_member("/a", b"", uid=33, gid=44), file_member("/b", b""))
    assert os.getxattr(root / "a", "user.labbox.owner") == b"33:44"
    assert os.listxattr(root / "b") == []


def test_links_are_made(root: Path) -> None:
    _unpack(root, file_member("/a", b"x"), link_member("/b", "a"), link_member("/d/c", "./a", hard=True))
    assert os.readlink(root / "b") == "a"
    assert (root / "d" / "c").stat().st_ino == (root / "a").stat().st_ino


def test_a_link_to_a_folder_stays_and_leads_nowhere_else(root: Path) -> None:
    root.mkdir()
    (root / "usr" / "bin").mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    (root / "outside").mkdir()
    (root / "out").symlink_to("/outside")
    result = _unpack(root, folder_member("/bin"), file_member("/bin/a", b"x"), file_member("/out/b", b"x"))
    assert (root / "bin").is_symlink()
    assert (root / "usr" / "bin" / "a").read_bytes() == b"x"
    assert (root / "outside" / "b").read_bytes() == b"x"
    assert result.made == []


def test_a_file_that_is_there_is_replaced_and_told(root: Path) -> None:
    root.mkdir()
    (root / "a").write_text("old")
    assert _unpack(root, file_member("/a", b"new")).replaced == ["/a"]
    assert (root / "a").read_text() == "new"


def test_a_diverted_path_goes_where_the_diversion_says(root: Path) -> None:
    diversions = {"/a": ("/a.diverted", "other"), "/b": ("/b.diverted", "a")}
    _unpack(root, file_member("/a", b"x"), file_member("/b", b"y"), diversions=diversions)
    assert sorted(path.name for path in root.iterdir() if path.is_file()) == ["a.diverted", "b"]


@pytest.mark.parametrize("name", ["/../evil", "/x/../../evil"])
def test_a_path_that_leads_out_is_refused(root: Path, name: str) -> None:
    with pytest.raises(PackageError, match="bad path"):
        _unpack(root, file_member(name, b""))


def test_a_device_is_refused(root: Path) -> None:
    info = tarfile.TarInfo("./null")
    info.type = tarfile.CHRTYPE
    with pytest.raises(UnsupportedError, match="`/null` is neither file, folder nor link"):
        _unpack(root, (info, b""))
