"""stop and kill where something else is already under way."""

import subprocess
import time

from harness.laboratory import HOST_PROGRAMS, TINY, Lab
from harness.modes import only_root
from harness.waiting import wait_until

pytestmark = only_root


def test_kill_ends_a_container_that_waits_to_be_started_again(lab: Lab) -> None:
    lab.start("--name", "box", "--restart", "always", TINY, "false")
    wait_until(lambda: lab.record("box")["restart_count"] >= 4, what="box waits for seconds")
    lab.wait_for_status("box", "restarting")
    lab.output("kill", "box", timeout=10)
    assert lab.status("box") == "exited"


def test_the_shorter_of_two_timeouts_of_stop_decides(lab: Lab) -> None:
    lab.start("--name", "box", TINY, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
    lab.wait_for_output("box", "ready")
    with lab.spawn("stop", "-t", "1000", "box") as patient:
        time.sleep(0.5)
        lab.output("stop", "-t", "1", "box", timeout=20)
        assert patient.wait(timeout=10) == 0


def test_a_container_that_takes_all_descriptors_of_its_monitor_can_be_stopped(lab: Lab) -> None:
    """Every connection of the container's network is two descriptors of the monitor."""
    connect = (
        "import socket, time\n"
        "sockets = [socket.socket() for _ in range(90)]\n"
        "for opened in sockets: opened.setblocking(False); opened.connect_ex(('10.255.255.1', 80))\n"
        "print('ready', flush=True)\n"
        "time.sleep(1000)\n"
    )
    command = lab.command("run", "-d", "--name", "box", *HOST_PROGRAMS, TINY, "/usr/bin/python3", "-c", connect)
    few = ["sh", "-c", 'ulimit -n 100; exec "$@"', "sh", *command]
    subprocess.run(few, check=True, timeout=30, capture_output=True, **lab.options({}))
    lab.wait_for_output("box", "ready")
    lab.output("stop", "-t", "0", "box", timeout=5)
