"""`exec`: one more command in a running container."""

import hashlib
import os

import pytest

from harness.laboratory import TINY, Lab
from harness.waiting import wait_until


@pytest.fixture
def base(lab: Lab) -> str:
    """A running container."""
    lab.start("--name", "base", "-e", "GIVEN=value", "-w", "/data", TINY, "sleep", "1000")
    return "base"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["true"], 0), (["sh", "-c", "exit 6"], 6), (["no-such"], 127), (["/etc/passwd"], 126),
        (["sh", "-c", "kill -9 $$"], 137),
    ],
    ids=str,
)  # fmt: skip
def test_exit_codes_are_the_commands(lab: Lab, base: str, command: list[str], code: int) -> None:
    assert lab("exec", base, *command).returncode == code


def test_output_and_errors_are_apart(lab: Lab, base: str) -> None:
    done = lab("exec", base, "sh", "-c", "echo out; echo err >&2")

    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_it_sees_the_same_world(lab: Lab, base: str) -> None:
    shown = lab.output("exec", base, "sh", "-c", "echo $GIVEN; pwd; hostname; cat /proc/1/comm; touch /new")

    assert shown.split("\n")[:2] == ["value", "/data"]
    assert "labbox-init" in shown
    assert lab.output("exec", base, "ls", "/new") == "/new"
    kinds = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
    script = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in kinds)
    first = lab.start("--name", "lister", TINY, "sh", "-c", f"{script}; sleep 1000")
    assert first
    lab.wait_for_output("lister", "uts:")
    assert lab.output("exec", "lister", "sh", "-c", script) == lab("logs", "lister").stdout.strip()


def test_environment_working_folder_and_user_can_be_given(lab: Lab, base: str) -> None:
    shown = lab.output("exec", "-e", "MORE=x", "-w", "/tmp", base, "sh", "-c", "echo $GIVEN $MORE $(pwd)")

    assert shown == "value x /tmp"


@pytest.mark.timeout(120)
def test_bytes_pass_both_ways(lab: Lab, base: str) -> None:
    data = os.urandom(1 << 23)

    done = lab.binary("exec", "-i", base, "cat", input=data)

    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()


def test_a_detached_command_goes_on(lab: Lab, base: str) -> None:
    assert lab("exec", "-d", base, "sh", "-c", "sleep 0.2; touch /tmp/done").returncode == 0

    wait_until(lambda: lab("exec", base, "ls", "/tmp/done").returncode == 0)


def test_a_container_that_does_not_run_is_refused(lab: Lab) -> None:
    lab.output("create", "--name", "idle", TINY, "true")

    done = lab("exec", "idle", "true")

    assert done.returncode == 1
    assert "is not running" in done.stderr


def test_an_unknown_container_is_refused(lab: Lab) -> None:
    done = lab("exec", "nobody", "true")

    assert done.returncode == 1
    assert "No such container" in done.stderr


def test_its_confinement_equals_the_containers(lab: Lab, base: str) -> None:
    fields = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status"
    lab.start("--name", "other", TINY, "sh", "-c", f"{fields}; echo end; sleep 1000")
    lab.wait_for_output("other", "end")

    assert lab.output("exec", "other", "sh", "-c", fields) == lab("logs", "other").stdout.removesuffix("\nend\n")


def test_no_descriptor_leaks_into_it(lab: Lab, base: str) -> None:
    assert lab.output("exec", base, "sh", "-c", "ls /proc/$$/fd; true").split() == ["0", "1", "2"]


def test_the_end_of_the_container_ends_it(lab: Lab, base: str) -> None:
    with lab.spawn("exec", base, "sleep", "1000") as process:
        wait_until(lambda: "sleep 1000" in lab.output("exec", base, "ps").replace("sleep 1000", "", 1))
        lab.output("kill", base)
        assert process.wait(20) == 137


def test_many_at_once_are_all_right(lab: Lab, base: str) -> None:
    processes = [lab.spawn("exec", base, "echo", str(number)) for number in range(10)]

    answers = []
    for process in processes:
        out, _ = process.communicate(timeout=60)
        answers.append((process.returncode, out))
    assert answers == [(0, f"{number}\n".encode()) for number in range(10)]


def test_a_killed_command_line_leaves_no_process_outside(lab: Lab, base: str) -> None:
    with lab.spawn("exec", base, "sleep", "1000") as process:
        wait_until(lambda: "sleep 1000" in lab.output("exec", base, "ps").replace("sleep 1000", "", 1))
        process.kill()
    lab.output("rm", "-f", base)
    wait_until(lambda: not lab.processes())
