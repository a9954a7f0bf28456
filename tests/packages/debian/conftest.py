"""A Debian archive of our own for every test."""

from collections.abc import Iterator

import pytest

from labbox.packages.transport import Transport
from packages.debian.archive_server import ArchiveServer


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the machine must not come between these tests and the loopback device."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[ArchiveServer]:
    """An empty archive that answers."""
    archive = ArchiveServer()
    archive.start()
    yield archive
    archive.stop()


@pytest.fixture
def transport() -> Iterator[Transport]:
    """Connections that are closed in the end."""
    with Transport() as made:
        yield made
