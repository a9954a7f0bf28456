"""Two commands at the same time on one thing: both right."""

import subprocess

import pytest

from harness.laboratory import TINY, Lab
from harness.waiting import wait_until


def together(lab: Lab, *commands: list[str]) -> list[tuple[int, str, str]]:
    """Run all at once; exit code, output and errors of each."""
    processes = [lab.spawn(*command, stdin=subprocess.DEVNULL) for command in commands]
    answers = []
    for process in processes:
        out, err = process.communicate(timeout=100)
        answers.append((process.returncode, out.decode(), err.decode()))
    return answers


@pytest.mark.timeout(120)
def test_twenty_containers_of_one_image_run_at_once(lab: Lab) -> None:
    answers = together(lab, *(["run", "--rm", TINY, "echo", str(number)] for number in range(20)))

    assert [(code, out) for code, out, _ in answers] == [(0, f"{number}\n") for number in range(20)]


def test_of_two_containers_of_one_name_one_runs(lab: Lab) -> None:
    for _ in range(3):
        answers = together(lab, *([["run", "--name", "same", TINY, "echo", "ran"]] * 3))
        assert sorted(code for code, _, _ in answers) == [0, 125, 125]
        assert "".join(out for _, out, _ in answers) == "ran\n"
        lab.output("rm", "-f", "same")


def test_start_and_remove_at_once_end_in_one_of_the_two(lab: Lab) -> None:
    for _ in range(4):
        lab.output("create", "--name", "box", TINY, "sleep", "1000")
        (start, _, start_error), (remove, _, remove_error) = together(lab, ["start", "box"], ["rm", "-f", "box"])
        assert "internal error" not in start_error + remove_error
        assert remove == 0, remove_error
        assert start in {0, 1}
        wait_until(lambda: not lab.exists("box") and not lab.processes())


def test_started_twice_at_once_it_runs_once(lab: Lab) -> None:
    for _ in range(3):
        lab.output("create", "--name", "box", TINY, "sleep", "1000")
        answers = together(lab, *([["start", "box"]] * 3))
        assert 0 in {code for code, _, _ in answers}
        assert not any("internal error" in err for _, _, err in answers)
        assert list(lab.processes().values()).count("labbox-monitor") == 1
        lab.output("rm", "-f", "box")


def test_many_ways_to_end_it_at_once(lab: Lab) -> None:
    for _ in range(3):
        lab.start("--name", "box", TINY, "sleep", "1000")
        answers = together(
            lab, ["stop", "-t", "1", "box"], ["kill", "box"], ["rm", "-f", "box"], ["rm", "-f", "box"], ["wait", "box"]
        )
        assert not any("internal error" in err for _, _, err in answers), answers
        assert not lab.exists("box")
        wait_until(lambda: not lab.processes())


def test_one_archive_imported_twice_at_once(lab: Lab) -> None:
    answers = together(lab, ["import", lab.archive, "first"], ["import", lab.archive, "second"])

    assert [code for code, _, _ in answers] == [0, 0], answers
    assert lab.run("first", "true").returncode == lab.run("second", "true").returncode == 0
    lab.output("rmi", "first", "second")
    assert lab.run(TINY, "true").returncode == 0


def test_an_image_removed_while_containers_start_from_it(lab: Lab) -> None:
    for _ in range(3):
        lab.output("tag", TINY, "passing")
        run, remove = together(lab, ["run", "--rm", "passing", "echo", "ran"], ["rmi", "passing"])
        assert run[:2] in {(0, "ran\n"), (125, "")}, run
        assert "internal error" not in run[2] + remove[2]
        lab("rmi", "-f", "passing")
    assert lab.run(TINY, "true").returncode == 0


def test_one_volume_filled_by_two_containers_at_once(lab: Lab) -> None:
    for number in range(3):
        script = ["sh", "-c", "cat /data/greeting /data/inner/owned"]
        answers = together(lab, *([["run", "--rm", "-v", f"vol{number}:/data", TINY, *script]] * 3))
        assert [(code, out) for code, out, _ in answers] == [(0, "hello\ndeveloper's\n")] * 3, answers


def test_a_name_changed_while_it_is_used(lab: Lab) -> None:
    lab.start("--name", "one", TINY, "sleep", "1000")
    answers = together(lab, ["rename", "one", "two"], ["rename", "one", "three"], ["exec", "one", "true"])

    assert not any("internal error" in err for _, _, err in answers)
    assert {name for name in ("one", "two", "three") if lab.exists(name)} <= {"two", "three"}
    assert len(lab.output("ps", "-q").split()) == 1
