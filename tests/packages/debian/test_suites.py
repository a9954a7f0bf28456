from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from labbox.errors import DownloadError, SignatureError
from labbox.packages.debian.mirrors import DEBIAN, SECURITY
from labbox.packages.debian.releases import DebianRelease, find_release
from labbox.packages.debian.suites import SuiteReader
from labbox.packages.patience import Patience
from labbox.packages.transport import Transport
from packages.debian.archive_server import ArchiveServer
from packages.debian.paragraphs import paragraph
from packages.debian.signing import archive_key

_NOW = datetime(2026, 5, 1, tzinfo=UTC)


def _reader(server: ArchiveServer, folder: Path, transport: Transport, *more: str) -> SuiteReader:
    return SuiteReader(
        cache_dir=str(folder),
        mirrors=server.mirrors(*more),
        transport=transport,
        patience=Patience(wait_factor=0.01),
        keys=[archive_key()],
        now=_NOW,
    )


def test_a_suite_is_fetched_verified_and_indexed(server: ArchiveServer, tmp_path: Path, transport: Transport) -> None:
    sha256 = server.add_suite("trixie", [paragraph("a", "1")], date=_NOW, keeps_plain_name=False)
    suite = _reader(server, tmp_path, transport).read_suite(DEBIAN, "trixie", "amd64")
    assert next(suite.index.packages("a")).version == "1"
    assert (suite.packages_sha256, suite.date) == (sha256, _NOW)


def test_the_second_reading_fetches_the_signed_index_only(
    server: ArchiveServer, tmp_path: Path, transport: Transport
) -> None:
    server.add_suite("trixie", [paragraph("a", "1")], date=_NOW)
    _reader(server, tmp_path, transport).read_suite(DEBIAN, "trixie", "amd64")
    server.hits.clear()
    _reader(server, tmp_path, transport).read_suite(DEBIAN, "trixie", "amd64")
    assert server.hits == ["/debian/dists/trixie/InRelease"]


def test_a_release_is_all_its_suites(server: ArchiveServer, tmp_path: Path, transport: Transport) -> None:
    for archive, suite in find_release("13").suites():
        server.add_suite(suite, [paragraph("a", "1")], date=_NOW, archive=archive)
    suites = _reader(server, tmp_path, transport).read_release(find_release("trixie"), "amd64")
    assert [(suite.archive, suite.name) for suite in suites] == [
        (DEBIAN, "trixie"),
        (DEBIAN, "trixie-updates"),
        (SECURITY, "trixie-security"),
    ]


def test_an_index_that_does_not_match_its_hash_is_refused(
    server: ArchiveServer, tmp_path: Path, transport: Transport
) -> None:
    sha256 = server.add_suite("trixie", [paragraph("a", "1")], date=_NOW)
    for path in (f"by-hash/SHA256/{sha256}", "Packages.xz"):
        server.files[f"/debian/dists/trixie/main/binary-amd64/{path}"] = b"evil"
    with pytest.raises(DownloadError, match="its sha256 differs"):
        _reader(server, tmp_path, transport).read_suite(DEBIAN, "trixie", "amd64")


def test_an_older_index_than_the_one_seen_before_is_refused(
    server: ArchiveServer, tmp_path: Path, transport: Transport
) -> None:
    server.add_suite("trixie", [paragraph("a", "2")], date=_NOW)
    _reader(server, tmp_path, transport).read_suite(DEBIAN, "trixie", "amd64")
    server.add_suite("trixie", [paragraph("a", "1")], date=_NOW - timedelta(days=3))
    with pytest.raises(SignatureError, match="older than the one seen before"):
        _reader(server, tmp_path, transport).read_suite(DEBIAN, "trixie", "amd64")


def test_a_mirror_without_the_suite_is_passed_over(server: ArchiveServer, tmp_path: Path, transport: Transport) -> None:
    server.add_suite("trixie", [paragraph("a", "1")], date=_NOW, archive="other/debian")
    reader = _reader(server, tmp_path, transport, f"{server.url}/other")
    assert reader.read_suite(DEBIAN, "trixie", "amd64").name == "trixie"


def test_a_mirror_whose_index_cannot_be_trusted_is_passed_over(
    server: ArchiveServer, tmp_path: Path, transport: Transport
) -> None:
    server.add_suite("trixie", [paragraph("a", "1")], date=_NOW, archive="other/debian")
    server.files["/debian/dists/trixie/InRelease"] = b"<html>log in first</html>"
    reader = _reader(server, tmp_path, transport, f"{server.url}/other")
    assert reader.read_suite(DEBIAN, "trixie", "amd64").name == "trixie"


def test_a_suite_that_no_mirror_has_is_an_error_with_all_addresses(
    server: ArchiveServer, tmp_path: Path, transport: Transport
) -> None:
    with pytest.raises(DownloadError, match=r"cannot fetch `debian sid`: .*dists/sid/InRelease` answered 404"):
        _reader(server, tmp_path, transport).read_suite(DEBIAN, "sid", "amd64")


def test_an_index_of_the_past_comes_from_the_snapshots(
    server: ArchiveServer, tmp_path: Path, transport: Transport
) -> None:
    sha256 = server.add_suite("trixie", [paragraph("a", "1")], date=_NOW)
    folder = "/debian/dists/trixie/main/binary-amd64"
    index = server.files.pop(f"{folder}/by-hash/SHA256/{sha256}")
    server.files["/snapshot/archive/debian/20260501T000000Z/dists/trixie/main/binary-amd64/Packages.xz"] = index
    found = _reader(server, tmp_path, transport).read_index(DEBIAN, "trixie", "amd64", sha256, _NOW)
    assert next(found.packages("a")).version == "1"


def test_releases_have_names() -> None:
    assert find_release("debian:12") == find_release("bookworm") == find_release("12")
    assert isinstance(find_release("sid"), DebianRelease)
