import hashlib
import os
import socket
import threading
from pathlib import Path

import pytest

from labbox.errors import DownloadError
from labbox.packages.fetch import Fetcher, Progress, WantedFile
from labbox.packages.patience import Patience
from labbox.packages.transport import Transport
from packages.debian.archive_server import ArchiveServer

_CONTENT = os.urandom(300_000)
_SHA256 = hashlib.sha256(_CONTENT).hexdigest()


def _wanted(*addresses: str, content: bytes = _CONTENT) -> WantedFile:
    sha256 = hashlib.sha256(content).hexdigest()
    return WantedFile(label="a 1", sha256=sha256, size=len(content), addresses=lambda: addresses)


def _fetcher(folder: Path, transport: Transport) -> Fetcher:
    return Fetcher(str(folder), transport, Patience(wait_factor=0.01))


def _parts(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.endswith(".part")]


def test_a_file_is_fetched_checked_and_kept(server: ArchiveServer, tmp_path: Path, transport: Transport) -> None:
    server.files["/a"] = _CONTENT
    fetcher = _fetcher(tmp_path, transport)
    found = fetcher.fetch_all([_wanted(f"{server.url}/a")])[_SHA256]
    assert Path(found.path).read_bytes() == _CONTENT
    assert found.path == fetcher.path_of(_SHA256)
    assert found.sha1 == hashlib.sha1(_CONTENT, usedforsecurity=False).hexdigest()
    assert _parts(tmp_path) == []


def test_a_file_in_the_cache_is_not_fetched_again(server: ArchiveServer, tmp_path: Path, transport: Transport) -> None:
    server.files["/a"] = _CONTENT
    first = _fetcher(tmp_path, transport).fetch_all([_wanted(f"{server.url}/a")])
    second = _fetcher(tmp_path, transport).fetch_all([_wanted(f"{server.url}/a")])
    assert first == second
    assert server.hits == ["/a"]


def test_a_damaged_file_in_the_cache_is_fetched_again(
    server: ArchiveServer, tmp_path: Path, transport: Transport
) -> None:
    server.files["/a"] = _CONTENT
    found = _fetcher(tmp_path, transport).fetch_all([_wanted(f"{server.url}/a")])[_SHA256]
    with open(found.path, "r+b") as file:
        file.write(b"damage")
    found = _fetcher(tmp_path, transport).fetch_all([_wanted(f"{server.url}/a")])[_SHA256]
    assert Path(found.path).read_bytes() == _CONTENT


def test_the_next_address_is_tried_when_one_does_not_have_it(
    server: ArchiveServer, tmp_path: Path, transport: Transport
) -> None:
    server.files["/b"] = _CONTENT
    _fetcher(tmp_path, transport).fetch_all([_wanted(f"{server.url}/a", f"{server.url}/b")])
    assert server.hits == ["/a", "/b"]


@pytest.mark.parametrize("wrong", [b"x" + _CONTENT[1:], _CONTENT + b"x"])
def test_an_address_that_serves_something_else_is_passed_over(
    server: ArchiveServer, tmp_path: Path, transport: Transport, wrong: bytes
) -> None:
    server.files["/a"], server.files["/b"] = wrong, _CONTENT
    found = _fetcher(tmp_path, transport).fetch_all([_wanted(f"{server.url}/a", f"{server.url}/b")])[_SHA256]
    assert Path(found.path).read_bytes() == _CONTENT


def test_the_error_lists_every_address(server: ArchiveServer, tmp_path: Path, transport: Transport) -> None:
    server.files["/b"] = b"other"
    with pytest.raises(DownloadError) as caught:
        _fetcher(tmp_path, transport).fetch_all([_wanted(f"{server.url}/a", f"{server.url}/b", "ftp://x/c")])
    message = caught.value.message
    assert message.startswith("cannot fetch `a 1`: ")
    assert f"`{server.url}/a` answered 404 Not Found" in message
    assert f"`{server.url}/b`" in message
    assert "`ftp://x/c`" in message


def test_a_download_that_was_cut_off_goes_on_where_it_stopped(
    server: ArchiveServer, tmp_path: Path, transport: Transport
) -> None:
    server.files["/a"] = _CONTENT
    server.cuts["/a"] = [100_000, 50_000]
    found = _fetcher(tmp_path, transport).fetch_all([_wanted(f"{server.url}/a")])[_SHA256]
    assert Path(found.path).read_bytes() == _CONTENT
    assert server.ranges == ["bytes=100000-", "bytes=150000-"]


def test_a_part_left_by_a_killed_command_is_used(server: ArchiveServer, tmp_path: Path, transport: Transport) -> None:
    server.files["/a"] = _CONTENT
    (tmp_path / f"{_SHA256}.part").write_bytes(_CONTENT[:12345])
    _fetcher(tmp_path, transport).fetch_all([_wanted(f"{server.url}/a")])
    assert server.ranges == ["bytes=12345-"]


def test_a_wrong_part_is_thrown_away(server: ArchiveServer, tmp_path: Path, transport: Transport) -> None:
    server.files["/a"] = server.files["/b"] = _CONTENT
    (tmp_path / f"{_SHA256}.part").write_bytes(b"x" * 1000)
    found = _fetcher(tmp_path, transport).fetch_all([_wanted(f"{server.url}/a", f"{server.url}/b")])[_SHA256]
    assert Path(found.path).read_bytes() == _CONTENT


def test_a_server_without_ranges_starts_again(server: ArchiveServer, tmp_path: Path, transport: Transport) -> None:
    server.files["/a"], server.cuts["/a"], server.ignores_ranges = _CONTENT, [100_000], True
    found = _fetcher(tmp_path, transport).fetch_all([_wanted(f"{server.url}/a")])[_SHA256]
    assert Path(found.path).read_bytes() == _CONTENT


def test_a_busy_server_is_asked_again(server: ArchiveServer, tmp_path: Path, transport: Transport) -> None:
    server.files["/a"], server.statuses["/a"] = _CONTENT, [(503, ""), (429, "0")]
    _fetcher(tmp_path, transport).fetch_all([_wanted(f"{server.url}/a")])
    assert server.hits == ["/a"] * 3


def test_a_server_that_stays_busy_is_given_up(server: ArchiveServer, tmp_path: Path, transport: Transport) -> None:
    server.statuses["/a"] = [(503, "")] * 9
    with pytest.raises(DownloadError, match="answered 503"):
        _fetcher(tmp_path, transport).fetch_all([_wanted(f"{server.url}/a")])
    assert server.hits == ["/a"] * 4


def test_a_server_that_refuses_connections_is_asked_once(
    server: ArchiveServer, tmp_path: Path, transport: Transport
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{unused.getsockname()[1]}"
    contents = [os.urandom(1000) for _ in range(20)]
    for number, content in enumerate(contents):
        server.files[f"/{number}"] = content
    wanted = [
        _wanted(f"{dead}/{number}", f"{server.url}/{number}", content=content)
        for number, content in enumerate(contents)
    ]
    assert len(_fetcher(tmp_path, transport).fetch_all(wanted)) == 20


def test_redirects_are_followed_and_loops_are_not(server: ArchiveServer, tmp_path: Path, transport: Transport) -> None:
    server.files["/b"] = _CONTENT
    server.redirects = {"/a": "/b", "/x": "/x"}
    _fetcher(tmp_path, transport).fetch_all([_wanted(f"{server.url}/a")])
    with pytest.raises(DownloadError, match="redirects too often"):
        _fetcher(tmp_path / "other", transport).fetch_all([_wanted(f"{server.url}/x")])


def test_no_more_than_the_allowed_requests_run_at_once(
    server: ArchiveServer, tmp_path: Path, transport: Transport
) -> None:
    contents = [os.urandom(200_000) for _ in range(12)]
    for number, content in enumerate(contents):
        server.files[f"/{number}"] = content
    fetcher = Fetcher(str(tmp_path), transport, Patience(limits={server.host: 2}, wait_factor=0.01))
    fetcher.fetch_all([_wanted(f"{server.url}/{n}", content=content) for n, content in enumerate(contents)])
    assert server.most_at_once <= 2


def test_progress_ends_with_everything(server: ArchiveServer, tmp_path: Path, transport: Transport) -> None:
    server.files["/a"] = _CONTENT
    server.cuts["/a"] = [100_000]
    seen: list[Progress] = []
    _fetcher(tmp_path, transport).fetch_all([_wanted(f"{server.url}/a")], progress=seen.append)
    assert seen[-1] == Progress(len(_CONTENT), len(_CONTENT), 1, 1)
    assert all(progress.done_bytes <= len(_CONTENT) for progress in seen)


def test_two_fetchers_of_one_cache_fetch_a_file_once(
    server: ArchiveServer, tmp_path: Path, transport: Transport
) -> None:
    server.files["/a"] = _CONTENT
    threads = [
        threading.Thread(target=lambda: _fetcher(tmp_path, transport).fetch_all([_wanted(f"{server.url}/a")]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.hits == ["/a"]


def test_a_proxy_is_used_except_where_it_is_excluded(
    server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["http://mirror.invalid/a"] = _CONTENT
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "direct.invalid")
    with Transport() as transport:
        _fetcher(tmp_path, transport).fetch_all([_wanted("http://mirror.invalid/a")])
        assert server.hits == ["http://mirror.invalid/a"]
        with pytest.raises(DownloadError):
            _fetcher(tmp_path, transport).fetch_all([_wanted("http://direct.invalid/b", content=b"b")])
    assert server.hits == ["http://mirror.invalid/a"]
