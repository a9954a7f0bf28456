import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labbox.errors import UsageError
from labbox.lock.system import (
    LockedDeb,
    LockedSuite,
    SystemLock,
    format_system_lock,
    parse_system_lock,
    read_system_lock,
    write_system_lock,
)

_LOCK = SystemLock(
    release="debian:13",
    architecture="amd64",
    epoch=1767225600,
    fetched_at="2026-05-01T08:00:00+00:00",
    assembler=1,
    suites=(
        LockedSuite(
            archive="debian",
            suite="trixie",
            inrelease_sha256="11" * 32,
            packages_sha256="22" * 32,
            date="2026-05-01T00:00:00+00:00",
        ),
    ),
    debs=(
        LockedDeb(
            name="apt",
            version="3.0.4",
            architecture="amd64",
            archive="debian-security",
            path="pool/updates/main/a/apt/apt_3.0.4_amd64.deb",
            size=1453228,
            sha256="33" * 32,
            sha1="44" * 20,
            manual=True,
            essential=True,
        ),
        LockedDeb(
            name="libc6",
            version="2.41-12+deb13u4",
            architecture="amd64",
            archive="debian",
            path="pool/main/g/glibc/libc6_2.41-12+deb13u4_amd64.deb",
            size=5,
            sha256="55" * 32,
        ),
    ),
)


def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(format_system_lock(_LOCK))
    return document


def _parse(document: Any) -> SystemLock:
    return parse_system_lock(json.dumps(document).encode(), where="lab.lock")


def test_a_lock_reads_as_it_was_written(tmp_path: Path) -> None:
    path = str(tmp_path / "system.lock")
    write_system_lock(path, _LOCK)
    assert read_system_lock(path) == _LOCK


def test_every_package_has_a_line_of_its_own() -> None:
    assert sum('"name": "apt"' in line for line in format_system_lock(_LOCK).splitlines()) == 1


def test_what_is_not_so_is_left_out() -> None:
    assert "manual" not in _document()["debs"][1]
    assert "sha1" not in _document()["debs"][1]


def test_the_key_depends_on_packages_and_epoch_and_not_on_where_they_were_found() -> None:
    deb = _LOCK.debs[0]
    assert _LOCK.with_sha1({"55" * 32: "66" * 20}).key() == _LOCK.key()
    assert replace(_LOCK, fetched_at="2027-01-01T00:00:00+00:00").key() == _LOCK.key()
    assert replace(_LOCK, debs=(replace(deb, path="pool/x.deb"), _LOCK.debs[1])).key() == _LOCK.key()
    assert replace(_LOCK, epoch=1).key() != _LOCK.key()
    assert replace(_LOCK, assembler=2).key() != _LOCK.key()
    assert replace(_LOCK, debs=(replace(deb, manual=False), _LOCK.debs[1])).key() != _LOCK.key()
    assert replace(_LOCK, debs=(replace(deb, sha256="77" * 32), _LOCK.debs[1])).key() != _LOCK.key()


def test_all_faults_are_told_at_once_with_their_places() -> None:
    document = _document()
    del document["epoch"]
    document["suites"][0]["archive"] = "ubuntu"
    document["debs"][0]["sha256"] = "x"
    document["debs"][0]["size"] = -1
    document["debs"][1]["path"] = "../../etc/passwd"
    document["debs"][1]["manual"] = "yes"
    del document["debs"][1]["version"]
    with pytest.raises(UsageError) as caught:
        _parse(document)
    assert caught.value.message.splitlines() == [
        "lock `lab.lock` has faults:",
        "  suites[0].archive: `ubuntu` is not one of debian, debian-security",
        "  debs[0].size: cannot be -1",
        '  debs[0].sha256: cannot be "x"',
        "  debs[1].path: `../../etc/passwd` leaves the archive",
        "  debs[1].version: missing required value",
        '  debs[1].manual: cannot be "yes"',
        "  epoch: missing required value",
    ]


def test_a_package_may_be_there_once_only() -> None:
    document = _document()
    document["debs"].append(document["debs"][0])
    with pytest.raises(UsageError, match=r"debs\[2\]\.name: `apt` is there twice"):
        _parse(document)


def test_another_format_is_refused_with_what_to_do() -> None:
    with pytest.raises(UsageError, match="has format `2`; this labbox reads format 1") as caught:
        _parse({**_document(), "format": 2})
    assert caught.value.hint == "Use the version of labbox that wrote it, or lock again."


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff", b'"lock"', b'{"format": 1, "debs": {}, "suites": [1]}'])
def test_what_is_no_lock_is_refused(text: bytes) -> None:
    with pytest.raises(UsageError, match=r"lock `lab\.lock`"):
        parse_system_lock(text, where="lab.lock")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read lock `.*none\.lock`: No such file"):
        read_system_lock(str(tmp_path / "none.lock"))
