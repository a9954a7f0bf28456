"""kill -9 of any part at any moment: the next command sees the truth, and nothing is left behind."""

import os
import signal
import subprocess

import pytest

from harness import leaks
from harness.laboratory import TINY, Lab
from harness.waiting import wait_until

MOMENTS = [0.0, 0.03, 0.06, 0.1, 0.15, 0.22, 0.3]  # seconds after the start of the command line


@pytest.mark.timeout(180)
@pytest.mark.parametrize("flags", [(), ("-d",), ("--rm",)], ids=["attached", "detached", "removed"])
def test_a_command_line_killed_at_any_moment_leaves_a_whole_store(lab: Lab, flags: tuple[str, ...]) -> None:
    for moment in MOMENTS:
        process = lab.spawn("run", *flags, "--name", "box", TINY, "sleep", "1000", stdin=subprocess.DEVNULL)
        kill_after(process, moment)
        lab.output("ps", "-a")
        _remove_whatever_is_left(lab)


@pytest.mark.timeout(120)
def test_a_command_line_killed_between_create_and_start_leaves_a_container_that_can_be_started(lab: Lab) -> None:
    for moment in MOMENTS:
        lab.output("create", "--name", "box", TINY, "true")
        kill_after(lab.spawn("start", "box", stdin=subprocess.DEVNULL), moment)
        wait_until(lambda: lab.status("box") in {"created", "exited"})
        assert lab("start", "-a", "box").returncode == 0
        lab.output("rm", "-f", "box")


def test_the_kill_of_an_attached_command_line_leaves_the_container_running(lab: Lab) -> None:
    with lab.spawn("run", "--name", "box", TINY, "sh", "-c", "echo up; sleep 1000") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()

    assert lab.status("box") == "running"


@pytest.mark.parametrize("flags", [(), ("--init",), ("--no-init",), ("-t",)], ids=str)
def test_the_kill_of_the_monitor_ends_the_container_and_is_told(lab: Lab, flags: tuple[str, ...]) -> None:
    lab.start("--name", "box", *flags, TINY, "sleep", "1000")
    record = lab.record("box")

    os.kill(record["monitor_pid"], signal.SIGKILL)

    wait_until(lambda: not lab.processes(), what="the container has died with its monitor")
    assert lab.status("box") == "exited"
    assert lab.record("box")["exit_code"] == 137
    assert lab.output("start", "box") == "box"
    assert lab.status("box") == "running"


def test_the_kill_of_the_monitor_ends_who_is_attached(lab: Lab) -> None:
    with lab.spawn("run", "--name", "box", TINY, "sh", "-c", "echo up; sleep 1000") as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(lab.record("box")["monitor_pid"], signal.SIGKILL)
        assert process.wait(20) == 137


@pytest.mark.timeout(120)
def test_a_monitor_killed_at_any_moment_of_its_start_leaves_nothing(lab: Lab) -> None:
    for number in range(6):
        process = lab.spawn("run", "-d", "--name", "box", TINY, "sleep", "1000", stdin=subprocess.DEVNULL)
        for pid in _first_children(process):
            _kill(pid)
        process.communicate(timeout=30)
        wait_until(lambda: not lab.processes(), what=f"round {number}: nothing runs any more")
        _remove_whatever_is_left(lab)


@pytest.mark.parametrize("flags", [(), ("--no-init",)], ids=["init", "no-init"])
def test_the_kill_of_process_one_is_an_end_like_any_other(lab: Lab, flags: tuple[str, ...]) -> None:
    lab.start("--name", "box", *flags, TINY, "sleep", "1000")

    os.kill(lab.record("box")["pid"], signal.SIGKILL)

    wait_until(lambda: lab.status("box") == "exited")
    assert lab.record("box")["exit_code"] == 137
    wait_until(lambda: not lab.processes())


@pytest.mark.timeout(120)
def test_a_removal_killed_at_any_moment_is_finished_by_the_next_one(lab: Lab) -> None:
    for moment in MOMENTS:
        lab("run", "--name", "box", TINY, "sh", "-c", "for n in 1 2 3 4; do mkdir /d$n; cp -r /bin /d$n; done")
        kill_after(lab.spawn("rm", "-f", "box", stdin=subprocess.DEVNULL), moment)
        _remove_whatever_is_left(lab)


@pytest.mark.timeout(120)
def test_a_killed_import_leaves_a_whole_store(lab: Lab) -> None:
    for moment in MOMENTS:
        kill_after(lab.spawn("import", lab.archive, "half", stdin=subprocess.DEVNULL), moment)
        lab.output("doctor", "--store")
        assert lab.run(TINY, "true").returncode == 0
    lab("rmi", "half")


def test_the_store_is_whole_after_all_this(lab: Lab) -> None:
    lab.output("doctor", "--store")


def test_a_restarted_host_is_noticed(lab: Lab) -> None:
    """The record of another boot: the container has ended with it."""
    lab.start("--name", "box", TINY, "sleep", "1000")
    record = lab.record("box")
    os.kill(record["monitor_pid"], signal.SIGKILL)
    wait_until(lambda: not lab.processes())
    path = os.path.join(lab.home, "data/containers/names/box/state.json")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(record["boot_id"], "00000000-0000-0000-0000-000000000000"))

    assert lab.status("box") == "exited"
    assert lab.record("box")["exit_code"] == 255


def test_a_reused_process_number_is_not_mistaken_for_the_container(lab: Lab) -> None:
    lab.start("--name", "box", TINY, "sleep", "1000")
    record = lab.record("box")
    os.kill(record["monitor_pid"], signal.SIGKILL)
    wait_until(lambda: not lab.processes())
    with subprocess.Popen(["sleep", "1000"], **lab.options({})) as bystander:
        path = os.path.join(lab.home, "data/containers/names/box/state.json")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(f'"pid": {record["pid"]}', f'"pid": {bystander.pid}'))

        assert lab.status("box") == "exited"
        assert bystander.poll() is None
        bystander.kill()


@pytest.mark.parametrize("name", ["config.json", "state.json"])
@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 99}', "\x00" * 100])
def test_a_damaged_record_disturbs_no_other_container(lab: Lab, name: str, text: str) -> None:
    lab.output("create", "--name", "whole", TINY, "true")
    lab.output("create", "--name", "hurt", TINY, "true")
    with open(os.path.join(lab.home, "data/containers/names/hurt", name), "w", encoding="utf-8") as file:
        file.write(text)

    done = lab("ps", "-a", "--format", "{{.Names}}")

    assert "whole" in done.stdout.split(), done.stderr
    assert "internal error" not in done.stderr
    assert lab("start", "-a", "whole").returncode == 0


def kill_after(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Let the process run for so long, then kill it."""
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _remove_whatever_is_left(lab: Lab) -> None:
    """Everything that a command shows can be removed by it, and then nothing is left of any kind."""
    wait_until(lambda: all(name in {"labbox-monitor", "labbox-init", "sleep"} for name in lab.processes().values()))
    names = lab.output("ps", "-aq").split()
    if names:
        lab("rm", "-f", *names)
    lab.output("container", "prune", "-f")
    wait_until(lambda: not lab.processes(), what=lambda: f"nothing runs any more: {lab.processes()}")
    wait_until(
        lambda: not leaks.entries_below(lab.home), what=lambda: f"no file is left: {leaks.entries_below(lab.home)}"
    )


def _first_children(process: "subprocess.Popen[bytes]") -> list[int]:
    """The children of a command line as soon as it has any: it forks the monitor."""
    wait_until(lambda: process.poll() is not None or _children(process.pid))
    return _children(process.pid)


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
