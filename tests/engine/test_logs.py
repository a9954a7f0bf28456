"""`logs`: what a container has written."""

import re

from harness.laboratory import TINY, Lab


def test_output_and_errors_are_kept_apart_and_in_full(lab: Lab) -> None:
    lab("run", "--name", "box", TINY, "sh", "-c", "echo out; echo err >&2; printf unfinished")

    done = lab("logs", "box")

    assert (done.stdout, done.stderr) == ("out\nunfinished", "err\n")


def test_tail_gives_the_last_lines(lab: Lab) -> None:
    lab("run", "--name", "box", TINY, "seq", "1", "5000")

    assert lab.output("logs", "--tail", "2", "box") == "4999\n5000"
    assert lab.output("logs", "-n", "0", "box") == ""
    assert len(lab.output("logs", "box").split()) == 5000


def test_timestamps_are_rfc_3339(lab: Lab) -> None:
    lab("run", "--name", "box", TINY, "echo", "line")

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line", lab.output("logs", "-t", "box"))


def test_since_and_until_choose_by_time(lab: Lab) -> None:
    lab("run", "--name", "box", TINY, "sh", "-c", "echo one; sleep 1.2; echo two")
    stamp = lab.output("logs", "-t", "--tail", "1", "box").split()[0]

    assert lab.output("logs", "--since", stamp, "box") == "two"
    assert lab.output("logs", "--until", stamp, "box").split()[0] == "one"


def test_follow_goes_on_until_the_container_ends(lab: Lab) -> None:
    lab.start("--name", "box", TINY, "sh", "-c", "echo first; sleep 0.5; echo second")

    assert lab.output("logs", "-f", "box") == "first\nsecond"


def test_logs_of_all_starts_are_kept(lab: Lab) -> None:
    lab("run", "--name", "box", TINY, "echo", "again")
    lab("start", "-a", "box")

    assert lab.output("logs", "box") == "again\nagain"


def test_logs_of_an_unknown_container_fail(lab: Lab) -> None:
    done = lab("logs", "nobody")

    assert done.returncode == 1
    assert "No such container: nobody" in done.stderr
