from dataclasses import replace
from pathlib import Path

import pytest

from labbox.errors import DownloadError
from labbox.lock.fetch_wheels import fetch_wheels, missing_built_wheels
from labbox.lock.lab import LockedSource
from labbox.packages.python.package_index import PackageIndex
from lock.labs import lock_made_wheel, make_locked_wheel
from packages.python.index_server import IndexServer
from packages.python.wheels import make_wheel

_WHEEL = make_wheel("a", files={"a_data.bin": bytes(range(256)) * 40})


def test_wheels_come_from_the_address_in_the_lock_and_then_from_the_cache(
    index_server: IndexServer, package_index: PackageIndex
) -> None:
    index_server.add(_WHEEL)
    wheel = lock_made_wheel(_WHEEL, index_server.address(_WHEEL))
    paths = fetch_wheels([wheel, wheel], package_index)
    assert Path(paths[wheel.sha256]).read_bytes() == _WHEEL.content
    index_server.hits.clear()
    assert fetch_wheels([wheel], package_index) == paths
    assert index_server.hits == []


def test_a_wheel_that_was_moved_is_found_in_the_index(index_server: IndexServer, package_index: PackageIndex) -> None:
    index_server.add(_WHEEL)
    wheel = lock_made_wheel(_WHEEL, index_server.address(_WHEEL))
    index_server.moved[_WHEEL.name] = "elsewhere"
    for speaks_json in (True, False):
        index_server.speaks_json = speaks_json
        (path,) = fetch_wheels([wheel], package_index).values()
        Path(path).unlink()


def test_a_wheel_that_was_deleted_is_one_message(index_server: IndexServer, package_index: PackageIndex) -> None:
    index_server.add(_WHEEL)
    index_server.gone.add(_WHEEL.name)
    wheel = lock_made_wheel(_WHEEL, index_server.address(_WHEEL))
    with pytest.raises(DownloadError) as caught:
        fetch_wheels([wheel], package_index)
    assert caught.value.message == f"cannot fetch `a 1.0`: `{wheel.url}` answered 404 Not Found"
    assert caught.value.hint is not None
    assert "DEBIAN" not in caught.value.hint


def test_a_wheel_with_another_hash_is_refused_and_said(index_server: IndexServer, package_index: PackageIndex) -> None:
    other = _WHEEL._replace(content=_WHEEL.content[:-1] + b"!")
    index_server.add(other)
    wheel = lock_made_wheel(_WHEEL, index_server.address(_WHEEL))
    with pytest.raises(DownloadError, match="size or sha256 differs") as caught:
        fetch_wheels([wheel], package_index)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("The file was changed after it was locked.")


def test_a_download_that_is_cut_off_goes_on(index_server: IndexServer, package_index: PackageIndex) -> None:
    index_server.add(_WHEEL)
    index_server.cuts[_WHEEL.name] = [100]
    wheel = lock_made_wheel(_WHEEL, index_server.address(_WHEEL))
    (path,) = fetch_wheels([wheel], package_index).values()
    assert Path(path).read_bytes() == _WHEEL.content
    assert len(index_server.hits) == 2


def test_a_wheel_of_a_local_folder_is_copied(package_index: PackageIndex, project: Path) -> None:
    path = project / f"with space/{_WHEEL.name}"
    path.parent.mkdir()
    path.write_bytes(_WHEEL.content)
    wheel = lock_made_wheel(_WHEEL, path.as_uri())
    (kept,) = fetch_wheels([wheel], package_index).values()
    path.unlink()
    assert fetch_wheels([wheel], package_index) == {wheel.sha256: kept}


def test_a_local_wheel_that_is_gone_is_looked_for_in_the_index(
    index_server: IndexServer, package_index: PackageIndex, project: Path
) -> None:
    index_server.add(_WHEEL)
    wheel = lock_made_wheel(_WHEEL, (project / _WHEEL.name).as_uri())
    assert fetch_wheels([wheel], package_index)


def test_a_local_wheel_that_was_changed_is_refused(package_index: PackageIndex, project: Path) -> None:
    path = project / _WHEEL.name
    path.write_bytes(b"something else")
    wheel = lock_made_wheel(_WHEEL, path.as_uri())
    with pytest.raises(DownloadError, match="is not the wheel of the lock: its sha256 is"):
        fetch_wheels([wheel], package_index)


def test_a_built_wheel_is_in_the_cache_or_missing(package_index: PackageIndex) -> None:
    source = LockedSource(url="https://files.example/a.tar.gz", sha256="11" * 32)
    built = replace(lock_made_wheel(_WHEEL, ""), source=source)
    assert missing_built_wheels([built, make_locked_wheel("b")], cache_dir=package_index.cache_dir) == (built,)
    with pytest.raises(DownloadError, match="no address is known"):
        fetch_wheels([built], package_index)
    Path(package_index.cache_dir, "wheels", "sha256", built.sha256).write_bytes(_WHEEL.content)
    assert missing_built_wheels([built], cache_dir=package_index.cache_dir) == ()
    assert fetch_wheels([built], package_index)
