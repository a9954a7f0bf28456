"""Signals to a container, and process 1 that passes them on and reaps."""

import os
import signal
import time

import pytest

from harness.laboratory import TINY, Lab
from harness.waiting import wait_until

TRAP = "trap 'echo got {0}; exit 3' {0}; echo ready; while :; do sleep 0.05; done"


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "USR1"])
def test_a_signal_to_the_command_line_reaches_the_command(lab: Lab, name: str) -> None:
    with lab.spawn("run", "--rm", TINY, "sh", "-c", TRAP.format(name)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert process.stdout.readline() == f"got {name}\n".encode()
        assert process.wait(20) == 3


def test_without_sig_proxy_a_signal_ends_the_command_line_only(lab: Lab) -> None:
    with lab.spawn("run", "--sig-proxy=false", "--name", "stays", TINY, "sh", "-c", TRAP.format("TERM")) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    assert lab.status("stays") == "running"


def test_kill_sends_the_named_signal(lab: Lab) -> None:
    lab.start("--name", "listener", TINY, "sh", "-c", TRAP.format("USR2"))
    lab.wait_for_output("listener", "ready")

    lab.output("kill", "-s", "USR2", "listener")

    lab.wait_for_output("listener", "got USR2")
    assert lab.output("wait", "listener") == "3"


def test_kill_of_a_container_that_does_not_run_fails(lab: Lab) -> None:
    lab.output("create", "--name", "idle", TINY, "true")

    done = lab("kill", "idle")

    assert done.returncode == 1
    assert "is not running" in done.stderr


def test_a_command_without_handlers_stops_at_once_because_init_passes_the_signal_on(lab: Lab) -> None:
    lab.start("--name", "plain", TINY, "sleep", "1000")
    before = time.monotonic()

    lab.output("stop", "plain")

    assert time.monotonic() - before < 5
    assert lab.record("plain")["exit_code"] == 143


def test_stop_kills_after_the_time_out(lab: Lab) -> None:
    lab.start("--name", "stubborn", TINY, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
    lab.wait_for_output("stubborn", "ready")

    lab.output("stop", "-t", "1", "stubborn")

    assert lab.record("stubborn")["exit_code"] == 137
    assert lab.status("stubborn") == "exited"


def test_stop_sends_the_stop_signal_of_the_container(lab: Lab) -> None:
    lab.start("--name", "polite", "--stop-signal", "USR1", TINY, "sh", "-c", TRAP.format("USR1"))
    lab.wait_for_output("polite", "ready")

    lab.output("stop", "polite")

    assert lab.record("polite")["exit_code"] == 3


def test_init_is_process_one_and_reaps_orphans(lab: Lab) -> None:
    script = "(sleep 0.05 &) ; sleep 0.5; cat /proc/1/comm; ps -o stat | grep -c Z; exit 0"

    assert lab.shell(script).split() == ["labbox-init", "0"]


def test_without_init_the_command_is_process_one(lab: Lab) -> None:
    assert lab.shell("echo $$", "--no-init") == "1"


def test_the_command_without_init_is_killed_by_stop_after_the_time_out(lab: Lab) -> None:
    lab.start("--name", "first", "--no-init", TINY, "sleep", "1000")

    lab.output("stop", "-t", "0", "first")

    assert lab.record("first")["exit_code"] == 137


def test_a_signal_to_the_monitor_stops_the_container(lab: Lab) -> None:
    lab.start("--name", "host-stops", TINY, "sh", "-c", TRAP.format("TERM"))
    lab.wait_for_output("host-stops", "ready")

    lab_monitor = lab.record("host-stops")["monitor_pid"]
    _send(lab, lab_monitor, signal.SIGTERM)

    wait_until(lambda: lab.status("host-stops") == "exited")
    assert lab.record("host-stops")["exit_code"] == 3


def _send(lab: Lab, pid: int, number: signal.Signals) -> None:
    assert pid in lab.processes()
    os.kill(pid, number)
