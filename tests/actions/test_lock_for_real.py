"""A lab locked from the real Debian archive and the real package index."""

import os
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from actions.locking import Locking
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import ResolutionError
from labbox.lock.fetch_wheels import fetch_wheels
from labbox.lock.system import SystemLock
from labbox.packages.python.package_index import open_package_index
from labbox.settings import load_settings

_DEFINITION = '[packages]\npython = ["markupsafe==3.*"]\nsystem = ["jq"]\n\n[services]\njupyter = false\n'


@pytest.fixture(scope="module", autouse=True)
def _network() -> None:
    for address in ("http://deb.debian.org/debian/dists/stable/InRelease", "https://pypi.org/simple/six/"):
        try:
            urllib.request.urlopen(address, timeout=20).close()
        except (OSError, urllib.error.URLError):
            pytest.skip("the Debian archive or the package index cannot be reached")


@pytest.fixture
def locking(tmp_path: Path) -> Locking:
    environment = {**os.environ, "LABBOX_HOME": str(tmp_path / "home")}
    settings = load_settings(environment)
    os.makedirs(settings.data_dir)
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "labbox.toml").write_text(_DEFINITION)
    engine = EmbeddedEngine(settings, environment)
    return Locking(engine=engine, folder=tmp_path / "project", environment=environment)


def test_a_lab_is_locked_changed_and_fetched(locking: Locking) -> None:
    lock = locking.lock().lock
    assert isinstance(lock.system, SystemLock)
    assert lock.interpreter.language == "3.13"
    names = {deb.name for deb in lock.system.debs}
    assert names >= {"ca-certificates", "python3", "python3.13", "sudo"}
    assert "jq" in {deb.name for deb in lock.additions} - names
    assert {"pip", "markupsafe"} <= {wheel.name for wheel in lock.packages}
    assert "tensorboard" in {wheel.name for wheel in lock.services}
    markupsafe = next(wheel for wheel in lock.packages if wheel.name == "markupsafe")
    assert "cp313-manylinux" in markupsafe.file_name
    cache_dir = locking.engine.settings.cache_dir
    with open_package_index(cache_dir, locking.environment) as index:
        (path,) = fetch_wheels([markupsafe], index).values()
    assert Path(path).stat().st_size == markupsafe.size

    # Another Python package is no reason to ask Debian, nor for other services.
    locking.write("labbox.toml", _DEFINITION.replace('"markupsafe==3.*"', '"markupsafe==3.*", "einops"'))
    nowhere = {**locking.environment, "LABBOX_DEBIAN_MIRROR": "http://127.0.0.1:9/debian"}
    changed = replace(locking, environment=nowhere).lock().lock
    assert (changed.system, changed.additions, changed.services) == (lock.system, lock.additions, lock.services)
    assert {wheel.name for wheel in changed.packages} - {wheel.name for wheel in lock.packages} == {"einops"}

    # Another system package keeps the system.
    locking.write("labbox.toml", _DEFINITION.replace('["jq"]', '["tree"]'))
    changed = locking.lock().lock
    assert changed.system == lock.system
    assert [deb.name for deb in changed.additions] == ["tree"]


def test_a_python_that_the_release_lacks_is_told_with_what_it_has(locking: Locking) -> None:
    locking.write("labbox.toml", '[lab]\nsystem = "debian:12"\npython = "3.13"\n')
    with pytest.raises(ResolutionError, match=r"debian:12 has no Python 3\.13") as caught:
        locking.lock()
    assert caught.value.hint is not None
    assert "its 3.11" in caught.value.hint
