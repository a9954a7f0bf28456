"""The small modules that everything stands on."""

import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from labbox.errors import UnsupportedError, UsageError
from labbox.files import locked, read_json, remove_tree, take_lock, try_lock, write_atomic, write_json
from labbox.lightweight_typing import NamedTuple
from labbox.linux.idmap import IdRange, SubordinateRange, map_to_host, read_subordinate_ranges, subuid_identity
from labbox.processes import identify, is_alive
from labbox.settings import load_settings, read_config


class Point(NamedTuple):
    """A value with a default."""

    x: int
    y: int = 2


def test_a_light_named_tuple_behaves_as_typings() -> None:
    point = Point(1)
    assert (point.x, point.y) == (1, 2)
    assert point == (1, 2)
    assert point._replace(x=3) == Point(x=3, y=2)
    assert point._asdict() == {"x": 1, "y": 2}
    assert repr(point) == "Point(x=1, y=2)"
    assert pickle.loads(pickle.dumps(point)) == point
    assert isinstance(pickle.loads(pickle.dumps(point)), Point)


@pytest.mark.parametrize(("values", "named"), [((), {}), ((1, 2, 3), {}), ((1,), {"z": 3}), ((1,), {"x": 3})])
def test_a_light_named_tuple_refuses_wrong_arguments(values: tuple[int, ...], named: dict[str, int]) -> None:
    with pytest.raises(TypeError):
        Point(*values, **named)


def test_the_path_of_run_does_not_import_typing() -> None:
    program = "import sys, labbox.engine.embedded.stage; sys.exit('typing' in sys.modules or 're' in sys.modules)"
    source = str(Path(__file__).parent.parent / "src")
    assert (
        subprocess.run([sys.executable, "-S", "-c", program], env={"PYTHONPATH": source}, check=False).returncode == 0
    )


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1}
    write_atomic(path, b"{}", mode=0o640)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
    assert os.listdir(tmp_path) == ["file"]


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with locked(path):
        assert try_lock(path) is None
        assert take_lock(path, patience_seconds=0.01) is None
    descriptor = try_lock(path)
    assert descriptor is not None
    os.close(descriptor)


def test_a_tree_is_removed_however_deep_and_without_following_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("stays")
    top = tmp_path / "top"
    top.mkdir()
    (top / "link").symlink_to(tmp_path)
    here = os.open(top, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    remove_tree(str(top))
    assert os.listdir(tmp_path) == ["outside"]
    remove_tree(str(top))


def test_a_folder_without_permissions_is_removed(tmp_path: Path) -> None:
    (tmp_path / "top" / "closed" / "inner").mkdir(parents=True)
    os.chmod(tmp_path / "top" / "closed", 0)
    remove_tree(str(tmp_path / "top"))
    assert os.listdir(tmp_path) == []


def test_a_process_is_known_by_more_than_its_number() -> None:
    identity = identify(os.getpid())
    assert is_alive(identity)
    assert not is_alive(identity._replace(start_ticks=identity.start_ticks + 1))
    assert not is_alive(identity._replace(boot_id="another"))


def test_one_variable_moves_everything() -> None:
    settings = load_settings({"LABBOX_HOME": "/x", "HOME": "/h"})
    assert settings.store_dir == "/x/data/store"
    assert settings.config_file == "/x/config.toml"
    assert load_settings({"HOME": "/h"}).data_dir == "/h/.local/share/labbox"


def test_a_settings_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    settings = load_settings({"LABBOX_HOME": str(tmp_path)})
    assert read_config(settings) == {}
    (tmp_path / "config.toml").write_text("[debian\n")
    with pytest.raises(UsageError, match=r"config\.toml"):
        read_config(settings)


def test_subordinate_ids_surround_the_developer() -> None:
    identity = subuid_identity([SubordinateRange(100000, 65536)], [SubordinateRange(200000, 65536)])
    assert map_to_host(identity.uids, 0) == 100000
    assert map_to_host(identity.uids, 1000) == os.geteuid()
    assert map_to_host(identity.uids, 1001) == 101000
    assert map_to_host(identity.uids, 65535) == 165534
    assert map_to_host(identity.gids, 65534) == 265533
    assert map_to_host(identity.uids, 65536) is None


def test_subordinate_ids_may_come_in_several_ranges() -> None:
    ranges = [SubordinateRange(5000, 500), SubordinateRange(100000, 65536)]
    identity = subuid_identity(ranges, ranges)
    assert IdRange(0, 5000, 500) in identity.uids
    assert map_to_host(identity.uids, 500) == 100000
    inside = [number for entry in identity.uids for number in (entry.inside, entry.inside + entry.size - 1)]
    assert inside == sorted(inside)


def test_too_few_subordinate_ids_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="1000 subordinate user ids are too few"):
        subuid_identity([SubordinateRange(1, 1000)], [SubordinateRange(1, 70000)])


def test_subordinate_ids_are_found_by_name_and_by_number(tmp_path: Path) -> None:
    path = tmp_path / "subuid"
    path.write_text("other:1:2\nme:100:200\n# x\n42:300:400\nbroken:1\n")
    assert read_subordinate_ranges(str(path), "me", 42) == [SubordinateRange(100, 200), SubordinateRange(300, 400)]
    assert read_subordinate_ranges(str(tmp_path / "none"), "me", 42) == []
