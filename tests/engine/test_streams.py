"""Standard input, output and errors through pipes: every byte, and the end of the stream."""

import hashlib
import os
from subprocess import Popen

import pytest

from harness.laboratory import TINY, Lab
from harness.waiting import wait_until

MEBIBYTE = 1 << 20


@pytest.mark.timeout(120)
def test_a_hundred_megabytes_come_out_whole(lab: Lab) -> None:
    with lab.spawn("run", "--rm", TINY, "sh", "-c", "head -c 104857600 /dev/zero; echo the end") as process:
        assert process.stdout is not None
        size, tail = 0, b""
        while chunk := process.stdout.read(MEBIBYTE):
            size += len(chunk)
            tail = (tail + chunk)[-8:]

        assert process.wait(60) == 0
    assert (size, tail) == (100 * MEBIBYTE + 8, b"the end\n")


@pytest.mark.timeout(120)
def test_what_goes_in_comes_out(lab: Lab) -> None:
    data = os.urandom(MEBIBYTE) * 16

    done = lab.binary("run", "--rm", "-i", TINY, "cat", input=data)

    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()


def test_the_end_of_input_reaches_the_command(lab: Lab) -> None:
    assert lab.run("-i", TINY, "wc", "-c", input="12345").stdout.strip() == "5"


def test_without_interactive_there_is_no_input(lab: Lab) -> None:
    assert lab.run(TINY, "wc", "-c", input="12345").stdout.strip() == "0"


def test_input_that_nobody_reads_does_not_hang(lab: Lab) -> None:
    assert lab.run("-i", TINY, "true", input="x" * MEBIBYTE).returncode == 0


def test_a_reader_that_goes_away_does_not_hang_the_container(lab: Lab) -> None:
    with lab.spawn("run", "--rm", "--name", "talker", TINY, "sh", "-c", "while echo talk; do :; done") as process:
        assert process.stdout is not None
        assert process.stdout.read(1000)
        process.stdout.close()
        process.wait(20)
    lab.output("rm", "-f", "talker")
    wait_until(lambda: not lab.exists("talker"))


def test_a_slow_reader_holds_the_command_back_and_loses_nothing(lab: Lab) -> None:
    with lab.spawn("run", "--rm", TINY, "head", "-c", "33554432", "/dev/zero") as process:
        assert process.stdout is not None
        first = process.stdout.read(1)
        # The pipe stays full until the container's command must wait; then everything is read.
        wait_until(lambda: _is_waiting_to_write(process))
        assert len(first + process.stdout.read()) == 33554432


def test_only_the_attached_streams_are_carried(lab: Lab) -> None:
    done = lab.run("-a", "stderr", TINY, "sh", "-c", "echo out; echo err >&2")

    assert (done.stdout, done.stderr) == ("", "err\n")


def test_the_command_can_open_its_own_streams_by_name(lab: Lab) -> None:
    done = lab.run(TINY, "sh", "-c", "echo one > /dev/stdout; echo two > /dev/stderr")

    assert (done.stdout, done.stderr) == ("one\n", "two\n")


def test_a_user_can_open_the_streams_by_name_too(lab: Lab) -> None:
    user = "0:0" if lab.mode == "single" else "1000:1000"
    done = lab.run("-u", user, TINY, "sh", "-c", "echo one > /dev/stdout; echo two > /dev/stderr")

    assert (done.stdout, done.stderr) == ("one\n", "two\n")


def _is_waiting_to_write(process: Popen[bytes]) -> bool:
    with open(f"/proc/{process.pid}/wchan", encoding="ascii") as file:
        return "pipe" in file.read()
