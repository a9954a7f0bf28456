"""Input, output and signals while one side does not read what the other writes."""

import signal
import time

from harness.laboratory import HOST_PROGRAMS, TINY, Lab
from harness.modes import only_root

pytestmark = only_root

INPUT = bytes(8 << 20)
DOUBLED = "import sys\nwhile data := sys.stdin.buffer.read(4096): sys.stdout.buffer.write(data * 4)\n"
AMPLIFY = ("/usr/bin/python3", "-c", DOUBLED)


def test_a_command_of_run_that_writes_more_than_it_reads_gets_all_of_its_input(lab: Lab) -> None:
    done = lab.binary("run", "--rm", "-i", *HOST_PROGRAMS, TINY, *AMPLIFY, input=INPUT)
    assert (done.returncode, len(done.stdout)) == (0, 4 * len(INPUT))


def test_a_command_of_exec_that_writes_more_than_it_reads_gets_all_of_its_input(lab: Lab) -> None:
    lab.start("--name", "box", *HOST_PROGRAMS, TINY, "sleep", "1000")
    done = lab.binary("exec", "-i", "box", *AMPLIFY, input=INPUT)
    assert (done.returncode, len(done.stdout)) == (0, 4 * len(INPUT))


def test_a_signal_reaches_a_container_that_does_not_read_its_input(lab: Lab) -> None:
    flags = ("-i", "--name", "box")
    with open("/dev/zero", "rb") as zeros, lab.spawn("run", "--rm", *flags, TINY, "sleep", "1000", stdin=zeros) as run:
        lab.wait_for_status("box", "running")
        time.sleep(1)  # until all the queues on the way are full
        run.send_signal(signal.SIGTERM)
        assert run.wait(timeout=10) == 128 + signal.SIGTERM
