import zipfile
from pathlib import Path

import pytest

from labbox.build.python.repack_wheel import repack_wheel
from labbox.errors import ArchiveError

_FILES = {
    "pkg/__init__.py": b"",
    "pkg/tool.sh": b"#!/bin/sh\n",
    "pkg-1.dist-info/METADATA": b"Name: pkg\n",
    "pkg-1.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: setuptools (80.9.0)\n",
    "pkg-1.dist-info/RECORD": b"whatever\n",
}


def _write(path: Path, names: list[str], *, year: int, compression: int, generator: bytes = b"80.9.0") -> str:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name in names:
            info = zipfile.ZipInfo(name, (year, 5, 6, 7, 8, 10))
            info.external_attr = (0o100775 if name.endswith(".sh") else 0o100664) << 16
            archive.writestr(info, _FILES[name].replace(b"80.9.0", generator), compression)
    return str(path)


def test_order_times_compression_and_the_generators_version_leave_no_trace(tmp_path: Path) -> None:
    first = _write(tmp_path / "a.whl", list(_FILES), year=2020, compression=zipfile.ZIP_STORED)
    second = _write(
        tmp_path / "b.whl", list(_FILES)[::-1], year=2021, compression=zipfile.ZIP_DEFLATED, generator=b"81"
    )
    repack_wheel(first, str(tmp_path / "1"))
    repack_wheel(second, str(tmp_path / "2"))
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_a_repacked_wheel_is_whole(tmp_path: Path) -> None:
    made = _write(tmp_path / "a.whl", list(_FILES), year=2020, compression=zipfile.ZIP_DEFLATED)
    repack_wheel(made, str(tmp_path / "1"))
    with zipfile.ZipFile(tmp_path / "1") as archive:
        assert archive.testzip() is None
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
        record = archive.read("pkg-1.dist-info/RECORD").decode().splitlines()
    assert modes["pkg/tool.sh"] == 0o100755
    assert modes["pkg/__init__.py"] == 0o100644
    assert list(modes)[-1] == "pkg-1.dist-info/RECORD"
    assert record[-1] == "pkg-1.dist-info/RECORD,,"
    assert "pkg/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0" in record


def test_what_is_no_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"no")
    with pytest.raises(ArchiveError, match="is not a wheel"):
        repack_wheel(str(tmp_path / "a.whl"), str(tmp_path / "1"))
