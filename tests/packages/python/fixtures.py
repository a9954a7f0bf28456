"""An index on the loopback device, and uv that knows no other."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from labbox.packages.patience import Patience
from labbox.packages.python.package_index import PackageIndex
from labbox.packages.python.platform import PythonPlatform
from labbox.packages.python.uv import Uv, find_uv
from labbox.packages.transport import Transport
from packages.python.index_server import IndexServer

PLATFORM = PythonPlatform(version="3.13.5", abi="cp313", machine="x86_64", glibc=(2, 36))
_PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


@pytest.fixture
def index_server() -> Iterator[IndexServer]:
    """An empty index that answers."""
    server = IndexServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def environment(index_server: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a user whose only index is the one on the loopback device."""
    for name in [*_PROXIES, *(name for name in os.environ if name.startswith(("UV_", "PIP_")))]:
        monkeypatch.delenv(name, raising=False)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "UV_DEFAULT_INDEX": index_server.simple,
        "UV_CACHE_DIR": str(tmp_path / "uv-cache"),
        "UV_NO_CONFIG": "1",
        "UV_HTTP_RETRIES": "0",
    }


@pytest.fixture
def uv(environment: dict[str, str]) -> Uv:
    """The program, in that environment."""
    return find_uv(environment)


@pytest.fixture
def package_index(index_server: IndexServer, environment: dict[str, str], tmp_path: Path) -> Iterator[PackageIndex]:
    """The index as labbox fetches from it."""
    with Transport() as transport:
        yield PackageIndex(
            indexes=(index_server.simple,),
            cache_dir=str(tmp_path / "cache"),
            transport=transport,
            patience=Patience(wait_factor=0.01),
        )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder
