import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from labbox.errors import DownloadError, ResolutionError
from labbox.lock.fetch_system import fetch_system
from labbox.lock.resolve_system import lock_addition, lock_system
from labbox.lock.system import SystemLock
from labbox.packages.debian.archive import Archive
from labbox.packages.debian.releases import DebianRelease
from labbox.packages.debian.suites import Suite
from labbox.packages.patience import Patience
from labbox.packages.transport import Transport
from packages.debian.archive_server import ArchiveServer
from packages.debian.paragraphs import index_of, paragraph

_NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
_RELEASE = DebianRelease(version="13", codename="trixie")
_CONTENT = b"the package file of a"
_SHA256 = hashlib.sha256(_CONTENT).hexdigest()
_SNAPSHOT = "/snapshot/archive/debian/20260501T080000Z/pool/a/a_1.deb"


def _suite(*paragraphs: str, age: timedelta = timedelta()) -> Suite:
    return Suite(
        archive="debian",
        name="trixie",
        inrelease_sha256="11" * 32,
        packages_sha256="22" * 32,
        date=_NOW - age,
        index=index_of(*paragraphs),
    )


def _suites() -> list[Suite]:
    base = [paragraph("base-files", essential=True), paragraph("apt"), paragraph("b", depends="a")]
    return [
        _suite(*base, paragraph("a", content=_CONTENT, sha256=_SHA256), age=timedelta(days=9)),
        _suite(paragraph("b", "2", depends="a"), age=timedelta(days=1)),
    ]


def _lock(*wanted: str) -> SystemLock:
    return lock_system(_RELEASE, _suites(), wanted, architecture="amd64", assembler=1, now=_NOW)


@pytest.fixture
def archive(server: ArchiveServer, tmp_path: Path) -> Iterator[Archive]:
    with Transport() as transport:
        patience = Patience(limits={server.host: 2}, wait_factor=0.01)
        yield Archive(cache_dir=str(tmp_path), mirrors=server.mirrors(), transport=transport, patience=patience)


def _only_a() -> SystemLock:
    lock = _lock("a")
    return replace(lock, debs=tuple(deb for deb in lock.debs if deb.name == "a"))


def test_a_lock_holds_every_package_by_name() -> None:
    lock = _lock("b")
    assert [(deb.name, deb.version, deb.manual, deb.essential) for deb in lock.debs] == [
        ("a", "1", False, False),
        ("apt", "1", True, True),
        ("b", "2", True, False),
        ("base-files", "1", True, True),
    ]


def test_the_epoch_is_the_date_of_the_newest_suite() -> None:
    assert _lock().epoch == int((_NOW - timedelta(days=1)).timestamp())


def test_an_addition_to_a_lock_keeps_its_packages() -> None:
    base = _lock()
    debs = lock_addition(base, [suite.index for suite in _suites()], ["b"])
    assert [(deb.name, deb.version) for deb in debs] == [("a", "1"), ("b", "2")]


def test_an_addition_to_a_system_that_the_archive_forgot_is_refused() -> None:
    base = _lock("b")
    with pytest.raises(ResolutionError, match="package `b` 2 of the system is not in the archive any more"):
        lock_addition(base, [_suites()[0].index], ["a"])


def test_locked_files_come_from_the_mirror(server: ArchiveServer, archive: Archive) -> None:
    server.files["/debian/pool/a/a_1.deb"] = _CONTENT
    assert fetch_system(_only_a(), archive)[_SHA256].path.endswith(_SHA256)
    assert server.hits == ["/debian/pool/a/a_1.deb"]


def test_a_file_that_the_mirror_dropped_comes_from_the_snapshot_of_its_day(
    server: ArchiveServer, archive: Archive
) -> None:
    server.files["/snapshot/archive/debian/20260501T020000Z/pool/a/a_1.deb"] = _CONTENT
    server.redirects[_SNAPSHOT] = "/snapshot/archive/debian/20260501T020000Z/pool/a/a_1.deb"
    assert _SHA256 in fetch_system(_only_a(), archive)


def test_a_file_without_a_snapshot_of_that_day_is_found_by_what_the_service_knows_of_the_package(
    server: ArchiveServer, archive: Archive
) -> None:
    sha1 = server.add_snapshot_file("a", "1", "a_1.deb", _CONTENT)
    assert fetch_system(_only_a(), archive)[_SHA256].sha1 == sha1
    assert server.hits == [
        "/debian/pool/a/a_1.deb",
        _SNAPSHOT,
        "/snapshot/mr/binary/a/1/binfiles?fileinfo=1",
        f"/snapshot/file/{sha1}",
    ]


def test_a_locked_sha1_saves_the_question(server: ArchiveServer, archive: Archive) -> None:
    sha1 = server.add_snapshot_file("a", "1", "a_1.deb", _CONTENT)
    fetch_system(_only_a().with_sha1({_SHA256: sha1}), archive)
    assert server.hits == ["/debian/pool/a/a_1.deb", _SNAPSHOT, f"/snapshot/file/{sha1}"]


def test_the_snapshot_service_may_ask_for_patience(server: ArchiveServer, archive: Archive) -> None:
    server.files[_SNAPSHOT] = _CONTENT
    server.statuses[_SNAPSHOT] = [(429, "0"), (503, "")]
    assert _SHA256 in fetch_system(_only_a(), archive)


def test_a_file_of_the_snapshots_is_checked_like_any_other(server: ArchiveServer, archive: Archive) -> None:
    server.files[_SNAPSHOT] = b"something else of this size"
    with pytest.raises(DownloadError, match="cannot fetch `a 1`"):
        fetch_system(_only_a(), archive)


def test_a_file_that_nobody_has_is_an_error_with_every_address(archive: Archive) -> None:
    with pytest.raises(DownloadError) as caught:
        fetch_system(_only_a(), archive)
    assert "/debian/pool/a/a_1.deb` answered 404" in caught.value.message
    assert f"{_SNAPSHOT}` answered 404" in caught.value.message
