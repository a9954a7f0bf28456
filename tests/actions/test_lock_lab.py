"""Locking a folder; the system part fits already, so that no Debian archive is asked."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from actions.locking import LABBOX_FILE, Locking, start_locking
from labbox.errors import ConflictError, NotFoundError, ResolutionError
from labbox.lock.lab_file import write_lab_lock
from labbox.lock.upgrade import Upgrade
from lock.labs import make_deb, make_system_lock
from packages.python.index_server import IndexServer
from packages.python.wheels import make_wheel


@pytest.fixture
def locking(index_server: IndexServer, environment: dict[str, str], project: Path, tmp_path: Path) -> Locking:
    index_server.add(make_wheel("a", "1.0"), make_wheel("b", "1.0"), make_wheel("pip", "26.0"))
    return start_locking(project, tmp_path / "labbox", environment)


def test_a_definition_is_locked_and_the_systems_part_is_kept(locking: Locking) -> None:
    update = locking.lock()
    assert locking.written() == update.lock
    assert update.lock.system == make_system_lock()
    assert locking.versions() == {"a": "1.0"}
    assert update.lock.epoch == 1777622400
    assert update.lock.interpreter.version == "3.13.5"


def test_a_current_lock_is_used_without_asking_anybody(locking: Locking, index_server: IndexServer) -> None:
    first = locking.lock().lock
    index_server.hits.clear()
    update = locking.lock()
    assert update.lock == update.old == first
    assert locking.lock(frozen=True).lock == first
    assert index_server.hits == []


def test_a_frozen_lock_that_does_not_fit_is_refused_and_stays(locking: Locking) -> None:
    before = (locking.folder / "labbox.lock").read_bytes()
    with pytest.raises(ConflictError, match="cannot be: the definition was changed after it was written"):
        locking.lock(frozen=True)
    assert (locking.folder / "labbox.lock").read_bytes() == before
    (locking.folder / "labbox.lock").unlink()
    with pytest.raises(ConflictError, match="cannot be: it does not exist"):
        locking.lock(frozen=True)


def test_another_package_changes_nothing_else(locking: Locking, index_server: IndexServer) -> None:
    locking.lock()
    index_server.add(make_wheel("a", "2.0"))
    locking.write("labbox.toml", LABBOX_FILE.replace('["a"]', '["a", "b"]'))
    locking.lock()
    assert locking.versions() == {"a": "1.0", "b": "1.0"}


def test_other_system_packages_are_no_reason_to_ask_the_index(locking: Locking, index_server: IndexServer) -> None:
    locking.lock()
    index_server.hits.clear()
    locking.write("labbox.toml", LABBOX_FILE.replace("[packages]\n", '[packages]\nsystem = ["sudo"]\n'))
    update = locking.lock()
    assert update.old is not None
    assert update.lock.request != update.old.request
    assert update.lock.packages == update.old.packages
    assert index_server.hits == []


def test_upgrading_takes_the_newest_of_what_is_named(locking: Locking, index_server: IndexServer) -> None:
    locking.write("labbox.toml", LABBOX_FILE.replace('["a"]', '["a", "b"]'))
    locking.lock()
    index_server.add(make_wheel("a", "2.0"), make_wheel("b", "2.0"))
    locking.lock(upgrade=Upgrade(names=frozenset({"b"})))
    assert locking.versions() == {"a": "1.0", "b": "2.0"}
    with pytest.raises(NotFoundError, match="`zzz` is not in the lock"):
        locking.lock(upgrade=Upgrade(names=frozenset({"zzz"})))


def test_an_upgrade_that_finds_nothing_new_leaves_the_file_as_it_is(locking: Locking) -> None:
    locking.lock()
    before = (locking.folder / "labbox.lock").read_bytes()
    update = locking.lock(upgrade=Upgrade(names=frozenset({"a"})))
    assert update.lock == update.old
    assert (locking.folder / "labbox.lock").read_bytes() == before


def test_when_packages_cannot_be_had_the_old_lock_stays(locking: Locking, index_server: IndexServer) -> None:
    locking.lock()
    before = (locking.folder / "labbox.lock").read_bytes()
    locking.write("labbox.toml", LABBOX_FILE.replace('["a"]', '["a", "nosuch"]'))
    with pytest.raises(ResolutionError, match="there is no Python package `nosuch`"):
        locking.lock()
    assert (locking.folder / "labbox.lock").read_bytes() == before
    assert sorted(os.listdir(locking.folder)) == ["labbox.lock", "labbox.toml"]


def test_a_lock_of_older_rules_is_out_of_date_and_its_versions_stay(
    locking: Locking, index_server: IndexServer
) -> None:
    lock = locking.lock().lock
    index_server.add(make_wheel("a", "2.0"))
    write_lab_lock(str(locking.folder / "labbox.lock"), replace(lock, layout=0))
    with pytest.raises(ConflictError, match="its layout is 0"):
        locking.lock(frozen=True)
    assert replace(locking.lock().lock, locked_at=lock.locked_at) == lock


def test_a_lock_of_another_machine_is_not_used(locking: Locking) -> None:
    lock = locking.lock().lock
    write_lab_lock(str(locking.folder / "labbox.lock"), replace(lock, platform="linux/s390x"))
    with pytest.raises(ConflictError, match="it is for `linux/s390x`, and this machine is"):
        locking.lock(frozen=True)


def test_a_package_of_the_system_that_is_there_already_is_no_addition(locking: Locking) -> None:
    locking.write("labbox.toml", LABBOX_FILE.replace("[packages]\n", '[packages]\nsystem = ["sudo"]\n'))
    assert locking.lock().lock.additions == ()


def test_additions_that_fit_are_kept(locking: Locking) -> None:
    lock = replace(locking.lock().lock, additions=(make_deb("jq"), make_deb("libjq1", manual=False)))
    write_lab_lock(str(locking.folder / "labbox.lock"), lock)
    locking.write("labbox.toml", LABBOX_FILE.replace("[packages]\n", '[packages]\nsystem = ["jq"]\n'))
    assert locking.lock().lock.additions == lock.additions


def test_two_locks_at_once_are_one_after_the_other(locking: Locking) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: locking.lock(), range(2))
    assert first.lock == second.lock == locking.written()
    assert {first.lock == first.old, second.lock == second.old} == {True, False}


def test_ctrl_c_leaves_the_old_lock_whole(locking: Locking, index_server: IndexServer) -> None:
    before = (locking.folder / "labbox.lock").read_bytes()
    index_server.stalled.add("a")
    command = [sys.executable, "-m", "labbox", "lock", str(locking.folder)]
    with subprocess.Popen(
        command, env={**os.environ, **locking.environment}, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 30
        while not any("/simple/a/" in hit for hit in index_server.hits) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    index_server.stalled.clear()
    assert process.returncode == -signal.SIGINT
    assert b"Traceback" not in errors
    assert (locking.folder / "labbox.lock").read_bytes() == before
    assert sorted(os.listdir(locking.folder)) == ["labbox.lock", "labbox.toml"]
    locking.lock()
