"""create, start, stop, restart, wait, rename, rm: what a container goes through."""

import os

import pytest

from harness.laboratory import TINY, Lab
from harness.waiting import wait_until


def test_created_then_started_then_ended_then_started_again(lab: Lab) -> None:
    lab.output("create", "--name", "box", TINY, "sh", "-c", "echo run >> /count; cat /count")
    assert lab.status("box") == "created"

    first = lab("start", "-a", "box")
    second = lab("start", "-a", "box")

    assert (first.stdout, second.stdout) == ("run\n", "run\nrun\n")
    assert lab.status("box") == "exited"


def test_start_of_a_running_container_is_no_error(lab: Lab) -> None:
    lab.start("--name", "box", TINY, "sleep", "1000")

    assert lab.output("start", "box") == "box"


def test_stop_of_a_stopped_container_is_no_error(lab: Lab) -> None:
    lab("run", "--name", "box", TINY, "true")

    assert lab.output("stop", "box") == "box"


def test_start_with_input_feeds_the_command(lab: Lab) -> None:
    lab.output("create", "-i", "--name", "box", TINY, "cat")

    assert lab("start", "-ai", "box", input="fed").stdout == "fed"


def test_wait_prints_the_exit_code(lab: Lab) -> None:
    lab.start("--name", "box", TINY, "sh", "-c", "sleep 0.3; exit 9")

    assert lab.output("wait", "box") == "9"
    assert lab.output("wait", "box") == "9"


def test_a_container_is_found_by_the_start_of_its_id(lab: Lab) -> None:
    container_id = lab.start(TINY, "sleep", "1000")

    assert lab.output("stop", container_id[:8]) == container_id[:8]


def test_rename_changes_the_name_and_frees_the_old_one(lab: Lab) -> None:
    lab.output("create", "--name", "old", TINY, "true")

    lab.output("rename", "old", "new")
    lab.output("create", "--name", "old", TINY, "true")

    assert {lab.status("old"), lab.status("new")} == {"created"}


def test_rename_to_a_taken_name_fails_and_changes_nothing(lab: Lab) -> None:
    for name in ("one", "two"):
        lab.output("create", "--name", name, TINY, "true")

    done = lab("rename", "one", "two")

    assert done.returncode == 1
    assert "already in use" in done.stderr
    assert {lab.status("one"), lab.status("two")} == {"created"}


def test_a_renamed_running_container_keeps_its_name_when_it_ends(lab: Lab) -> None:
    lab.start("--name", "before", TINY, "sleep", "1000")
    lab.output("rename", "before", "after")
    lab.output("kill", "after")

    wait_until(lambda: lab.status("after") == "exited")
    assert lab.status("before") == ""


def test_a_renamed_container_with_auto_remove_leaves_no_name(lab: Lab) -> None:
    lab.start("--rm", "--name", "before", TINY, "sleep", "1000")
    lab.output("rename", "before", "after")
    lab.output("kill", "after")

    wait_until(lambda: not lab.processes())
    assert os.listdir(os.path.join(lab.home, "data/containers/names")) == []


def test_rm_refuses_a_running_container_and_force_removes_it(lab: Lab) -> None:
    lab.start("--name", "box", TINY, "sleep", "1000")

    refused = lab("rm", "box")

    assert refused.returncode == 1
    assert "running" in refused.stderr
    lab.output("rm", "-f", "box")
    assert not lab.exists("box")
    wait_until(lambda: not lab.processes())


def test_rm_of_an_unknown_container_names_it(lab: Lab) -> None:
    done = lab("rm", "nobody")

    assert done.returncode == 1
    assert "No such container: nobody" in done.stderr


def test_restart_gives_the_container_a_new_process(lab: Lab) -> None:
    lab.start("--name", "box", TINY, "sleep", "1000")
    before = lab.record("box")["pid"]

    lab.output("restart", "box")

    after = lab.record("box")
    assert after["status"] == "running"
    assert after["pid"] != before


def test_on_failure_restarts_so_many_times(lab: Lab) -> None:
    lab.start("--name", "box", "--restart", "on-failure:2", TINY, "sh", "-c", "echo try; exit 4")

    assert lab.output("wait", "box") == "4"
    record = lab.record("box")
    assert (record["restart_count"], record["exit_code"]) == (2, 4)
    assert lab("logs", "box").stdout == "try\n" * 3


def test_on_failure_does_not_restart_after_success(lab: Lab) -> None:
    lab.start("--name", "box", "--restart", "on-failure", TINY, "true")

    assert lab.output("wait", "box") == "0"
    assert lab.record("box")["restart_count"] == 0


@pytest.mark.parametrize("policy", ["always", "unless-stopped"])
def test_always_restarts_until_it_is_stopped(lab: Lab, policy: str) -> None:
    lab.start("--name", "box", "--restart", policy, TINY, "sh", "-c", "sleep 0.05")

    wait_until(lambda: lab.record("box")["restart_count"] >= 2)
    lab.output("stop", "box")

    assert lab.record("box")["status"] == "exited"
    wait_until(lambda: not lab.processes())


def test_the_writable_layer_survives_a_stop(lab: Lab) -> None:
    lab("run", "--name", "box", TINY, "sh", "-c", "test -e /kept && exit 5; touch /kept; rm /etc/group")

    assert lab("start", "-a", "box").returncode == 5


def test_hidden_and_half_made_folders_do_not_disturb(lab: Lab) -> None:
    containers = os.path.join(lab.home, "data/containers")
    lab.output("create", "--name", "whole", TINY, "true")
    half = os.path.join(containers, "f" * 64)
    os.mkdir(half)
    os.chown(half, lab.person.uid, lab.person.gid)

    assert len(lab.output("ps", "-aq").split()) == 1
    os.rmdir(half)
