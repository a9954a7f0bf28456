import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from labbox.errors import DownloadError, UsageError
from labbox.packages.debian.mirrors import DEBIAN, SECURITY, find_mirrors, locate_by_hash, read_apt_sources

_EMPTY = "/nonexistent"


def _write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def test_the_public_mirrors_and_the_archive_of_old_releases_come_last() -> None:
    mirrors = find_mirrors({}, {}, apt_dir=_EMPTY)
    assert mirrors.bases[DEBIAN] == ("https://deb.debian.org/debian", "http://archive.debian.org/debian")
    assert mirrors.snapshot == "https://snapshot.debian.org"


def test_the_users_mirror_comes_first_and_security_is_looked_for_beside_it() -> None:
    mirrors = find_mirrors({"LABBOX_DEBIAN_MIRROR": "http://near/debian/"}, {"debian": {"mirror": "http://far/debian"}})
    assert mirrors.bases[DEBIAN][0] == "http://near/debian"
    assert mirrors.bases[SECURITY][0] == "http://near/debian-security"


def test_the_settings_name_mirrors_too() -> None:
    config = {"debian": {"mirror": "http://a/d", "security_mirror": "http://b/s", "snapshot": "http://c/"}}
    mirrors = find_mirrors({}, config)
    assert (mirrors.bases[DEBIAN][0], mirrors.bases[SECURITY][0]) == ("http://a/d", "http://b/s")
    assert mirrors.snapshot == "http://c"


@pytest.mark.parametrize(
    "config", [{"debian": {"mirror": 1}}, {"debian": "x"}, {"debian": {"mirror": "ftp://a/debian"}}]
)
def test_settings_that_cannot_be_mirrors_are_refused(config: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        find_mirrors({}, config)


def test_the_hosts_one_line_sources_are_read(tmp_path: Path) -> None:
    _write(
        tmp_path,
        "sources.list",
        "# deb http://no/debian x main\n"
        "deb [signed-by=/a b] http://one/debian trixie main # http://no\n"
        "deb-src http://src/debian trixie main\n"
        "deb http://one/debian-security trixie-security main\n"
        "deb cdrom:[Debian]/ trixie main\n"
        "deb http://archive.ubuntu.com/ubuntu noble main\n",
    )
    assert read_apt_sources(str(tmp_path)) == {DEBIAN: ["http://one/debian"], SECURITY: ["http://one/debian-security"]}


def test_the_hosts_deb822_sources_are_read(tmp_path: Path) -> None:
    _write(
        tmp_path,
        "sources.list.d/debian.sources",
        "Types: deb deb-src\n# note\nURIs: http://two/debian\n http://three/debian/\nSuites: trixie\n\n"
        "Types: deb\nURIs: http://off/debian\nEnabled: no\n\nTypes: deb-src\nURIs: http://src/debian\n",
    )
    _write(tmp_path, "sources.list.d/other.list.save", "deb http://saved/debian x main\n")
    mirrors = find_mirrors({}, {}, apt_dir=str(tmp_path))
    assert mirrors.bases[DEBIAN][:2] == ("http://two/debian", "http://three/debian")


def test_addresses_keep_the_characters_of_versions() -> None:
    mirrors = find_mirrors({"LABBOX_DEBIAN_MIRROR": "http://near/debian"}, {})
    assert mirrors.addresses(DEBIAN, "pool/a_1+b~c%3a.deb")[0] == "http://near/debian/pool/a_1+b~c%3a.deb"


def test_the_snapshot_address_names_the_moment() -> None:
    moment = datetime(2026, 5, 1, 8, 9, 10, tzinfo=UTC)
    address = find_mirrors({}, {}, apt_dir=_EMPTY).snapshot_address(SECURITY, moment, "pool/a.deb")
    assert address == "https://snapshot.debian.org/archive/debian-security/20260501T080910Z/pool/a.deb"


def _locate(answer: bytes | Exception, sha1: str | None = None) -> list[str]:
    def read(_url: str) -> bytes:
        if isinstance(answer, Exception):
            raise answer
        return answer

    mirrors = find_mirrors({}, {}, apt_dir=_EMPTY)
    return list(locate_by_hash(mirrors, read, name="a", version="1", sha1=sha1, file_name="a_1_amd64.deb"))


def test_a_known_sha1_needs_no_question() -> None:
    assert _locate(AssertionError(), "ab" * 20) == [f"https://snapshot.debian.org/file/{'ab' * 20}"]


def test_the_snapshot_service_is_asked_for_the_hash_of_the_very_file() -> None:
    answer = {
        "result": [{"architecture": "arm64", "hash": "11"}, {"architecture": "amd64", "hash": "22"}],
        "fileinfo": {"11": [{"name": "a_1_arm64.deb"}], "22": [{"name": "a_1_amd64.deb"}]},
    }
    assert _locate(json.dumps(answer).encode()) == ["https://snapshot.debian.org/file/22"]


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"result": [{}]}', DownloadError("gone")])
def test_a_useless_answer_gives_no_address(answer: bytes | Exception) -> None:
    assert _locate(answer) == []
