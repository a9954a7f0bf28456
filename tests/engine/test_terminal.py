"""`-t`: a terminal of the container's own, carried to the one a person sits at."""

import re

import pytest

from harness.laboratory import TINY, Lab
from harness.waiting import wait_until

DETACH = b"\x10\x11"  # ctrl-p ctrl-q


def test_the_command_has_a_terminal(lab: Lab) -> None:
    with lab.on_terminal("run", "--rm", "-it", TINY, "tty") as terminal:
        terminal.expect(b"/dev/pts/0")
        assert terminal.wait() == 0


def test_the_terminal_has_the_size_of_the_persons_and_follows_it(lab: Lab) -> None:
    with lab.on_terminal("run", "--rm", "-it", TINY, "sh", rows=33, columns=101) as terminal:
        terminal.type(b"stty size\n")
        terminal.expect(b"33 101")
        terminal.resize(44, 77)
        terminal.type(b"until stty size | grep '44 77'; do :; done; echo resi''zed\n")
        terminal.expect(b"resized")
        terminal.type(b"exit 7\n")
        assert terminal.wait() == 7


def test_the_persons_terminal_is_as_before_afterwards(lab: Lab) -> None:
    with lab.on_terminal("run", "--rm", "-it", TINY, "sh") as terminal:
        terminal.type(b"echo he''re\n")
        terminal.expect(b"here")
        assert not terminal.is_as_before()
        terminal.type(b"exit\n")
        terminal.wait()
        assert terminal.is_as_before()


def test_control_c_interrupts_the_command_inside(lab: Lab) -> None:
    with lab.on_terminal("run", "--rm", "-it", TINY, "sh") as terminal:
        terminal.type(b"echo go''ing; sleep 1000; echo co''de $?\n")
        terminal.expect(b"going")
        terminal.type(b"\x03")
        terminal.type(b"echo still he''re\n")
        terminal.expect(b"still here")
        terminal.type(b"exit\n")
        terminal.wait()


def test_the_detach_keys_leave_the_container_running_and_attach_returns_to_it(lab: Lab) -> None:
    with lab.on_terminal("run", "-it", "--name", "mine", TINY, "sh") as terminal:
        terminal.type(b"value=remembered; echo re''ady\n")
        terminal.expect(b"ready")
        terminal.type(DETACH)
        assert terminal.wait() == 0
        assert terminal.is_as_before()
    assert lab.status("mine") == "running"

    with lab.on_terminal("attach", "mine") as terminal:
        terminal.type(b"echo $value\n")
        terminal.expect(b"remembered")
        terminal.type(b"exit 5\n")
        assert terminal.wait() == 5


def test_other_detach_keys_can_be_chosen(lab: Lab) -> None:
    with lab.on_terminal("run", "-it", "--detach-keys", "ctrl-x,x", "--name", "mine", TINY, "sh") as terminal:
        terminal.type(b"echo re''ady\n")
        terminal.expect(b"ready")
        terminal.type(b"\x18x")
        assert terminal.wait() == 0
    assert lab.status("mine") == "running"


def test_two_terminals_see_the_same_container(lab: Lab) -> None:
    lab.start("-it", "--name", "shared", TINY, "sh")
    with lab.on_terminal("attach", "shared") as first, lab.on_terminal("attach", "shared") as second:
        second.type(b"\n")
        second.expect(b"#" if lab.mode != "single" else b" ")
        first.type(b"echo to both to''gether\n")
        first.expect(b"to both together")
        second.expect(b"to both together")
        first.type(DETACH)
        first.wait()
        second.type(DETACH)
        second.wait()


def test_output_on_a_terminal_is_not_lost_at_the_end(lab: Lab) -> None:
    with lab.on_terminal("run", "--rm", "-t", TINY, "sh", "-c", "seq 1 20000") as terminal:
        assert terminal.wait() == 0
        lines = re.findall(rb"(\d+)\r+\n", terminal.output)
    assert [int(line) for line in lines] == list(range(1, 20001))


def test_interactive_terminal_without_a_terminal_is_refused(lab: Lab) -> None:
    done = lab.run("-it", TINY, "true")

    assert done.returncode in {1, 125}
    assert "the input device is not a TTY" in done.stderr


def test_the_detached_container_keeps_its_terminal(lab: Lab) -> None:
    lab.start("-t", "--name", "far", TINY, "sh", "-c", "tty; sleep 1000")

    lab.wait_for_output("far", "/dev/pts/0")


def test_exec_has_a_terminal_of_its_own(lab: Lab) -> None:
    lab.start("--name", "base", TINY, "sleep", "1000")
    with lab.on_terminal("exec", "-it", "base", "sh", rows=30, columns=90) as terminal:
        terminal.type(b"tty; stty size\n")
        terminal.expect(b"/dev/pts/")
        terminal.expect(b"30 90")
        terminal.type(b"exit 9\n")
        assert terminal.wait() == 9
        assert terminal.is_as_before()


@pytest.mark.parametrize("signal_name", ["KILL", "TERM"])
def test_a_killed_container_gives_the_terminal_back(lab: Lab, signal_name: str) -> None:
    with lab.on_terminal("run", "-it", "--rm", "--name", "doomed", TINY, "sleep", "1000") as terminal:
        wait_until(lambda: lab.status("doomed") == "running")
        lab.output("kill", "-s", signal_name, "doomed")
        assert terminal.wait() in {137, 143}
        assert terminal.is_as_before()
