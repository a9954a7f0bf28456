import os
from pathlib import Path

import pytest

from labbox.errors import PackageError, UnsupportedError
from labbox.packages.debian.deb_file import DebFile, open_deb
from packages.debian.debs import file_member, folder_member, make_deb

_CONTROL = "Package: a\nVersion: 1\nArchitecture: all\nDescription: one\n two\n"


def _open(folder: Path, content: bytes) -> DebFile:
    path = folder / "a.deb"
    path.write_bytes(content)
    return open_deb(os.open(path, os.O_RDONLY), "a.deb")


def test_the_control_part_is_read_whole(tmp_path: Path) -> None:
    deb = _open(
        tmp_path,
        make_deb(_CONTROL, scripts={"postinst": "#!/bin/sh\n", "conffiles": "/etc/a\nremove-on-upgrade /etc/b\n\n"}),
    )
    control = deb.read_control()
    assert control.fields["Package"] == "a"
    assert control.text == _CONTROL
    assert control.files["postinst"] == b"#!/bin/sh\n"
    assert (control.conffiles, control.removed_conffiles) == (("/etc/a",), ("/etc/b",))


def test_the_data_part_is_read_in_order(tmp_path: Path) -> None:
    deb = _open(tmp_path, make_deb(_CONTROL, [folder_member("/etc"), file_member("/etc/a", b"x" * 100_000)]))
    with deb.open_data() as tar:
        assert [(member.name, member.size) for member in tar] == [("./etc", 0), ("./etc/a", 100_000)]


@pytest.mark.parametrize("content", [b"", b"!<arch>\n", b"not a deb at all", b"!<arch>\n" + b"x" * 60])
def test_what_is_no_package_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PackageError, match=r"a\.deb"):
        _open(tmp_path, content).read_control()


def test_a_package_that_ends_early_is_refused(tmp_path: Path) -> None:
    content = make_deb(_CONTROL, [file_member("/a", os.urandom(50_000))])
    deb = _open(tmp_path, content[: len(content) - 20_000])
    with pytest.raises(PackageError, match="is damaged"):
        _read_data(deb)


def test_an_unknown_compression_is_named(tmp_path: Path) -> None:
    content = make_deb(_CONTROL).replace(b"data.tar.xz ", b"data.tar.q7 ")
    with pytest.raises(UnsupportedError, match=r"data\.tar\.q7"), _open(tmp_path, content).open_data():
        pass


def test_damaged_compression_is_refused(tmp_path: Path) -> None:
    content = bytearray(make_deb(_CONTROL, [file_member("/a", os.urandom(50_000))]))
    content[-30_000:-29_000] = bytes(1000)
    deb = _open(tmp_path, bytes(content))
    with pytest.raises(PackageError, match="is damaged"):
        _read_data(deb)


def _read_data(deb: DebFile) -> None:
    with deb.open_data() as tar:
        for member in tar:
            stream = tar.extractfile(member)
            assert stream is not None
            stream.read()
