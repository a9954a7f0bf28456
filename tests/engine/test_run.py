"""`run`: exit codes, messages and what is left afterwards."""

import os

import pytest

from harness.laboratory import TINY, Lab
from harness.waiting import wait_until


def test_a_command_runs_and_its_output_arrives(lab: Lab) -> None:
    done = lab.run(TINY, "sh", "-c", "echo out; echo err >&2")

    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "err\n")


CODES = [
    (["true"], 0),
    (["false"], 1),
    (["sh", "-c", "exit 42"], 42),
    (["no-such-command"], 127),
    (["/no/such/path"], 127),
    (["/etc/passwd"], 126),
    (["/tmp"], 126),
]
# Without init the command is process 1, which does not receive its own signals.
CODES_OF_SIGNALS = [(["sh", "-c", "kill -9 $$"], 137), (["sh", "-c", "kill -TERM $$"], 143)]


@pytest.mark.parametrize(("command", "code"), [*CODES, *CODES_OF_SIGNALS], ids=str)
def test_exit_codes_are_dockers(lab: Lab, command: list[str], code: int) -> None:
    assert lab.run(TINY, *command).returncode == code


@pytest.mark.parametrize(("command", "code"), CODES, ids=str)
def test_exit_codes_are_the_same_without_init(lab: Lab, command: list[str], code: int) -> None:
    assert lab.run("--no-init", TINY, *command).returncode == code


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--name", "../x", TINY, "true"], "Invalid container name"),
        (["no-such-image:at-all", "true"], "no-such-image"),
        (["UPPER CASE", "true"], "invalid reference format"),
        (["-v", "/no/such/folder:/x", TINY, "true"], "bind source path does not exist"),
        (["-u", "nobody-knows", TINY, "true"], "unable to find user nobody-knows"),
        (["-w", "relative", TINY, "true"], "relative"),
        (["--cap-add", "NO_SUCH", TINY, "true"], "NO_SUCH"),
        (["--no-such-flag", TINY, "true"], "--no-such-flag"),
        (["--ulimit", "nonsense=1", TINY, "true"], "ulimit"),
        (["--security-opt", "nonsense", TINY, "true"], "nonsense"),
        (["--network", "no-such-network", TINY, "true"], "no-such-network"),
        (["--entrypoint", "", TINY], "No command specified"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bad_input_is_one_clear_message_with_exit_code_125_and_leaves_nothing(
    lab: Lab, flags: list[str], words: str
) -> None:
    done = lab("run", *flags)

    assert done.returncode == 125, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert lab.output("ps", "-aq") == ""


def test_a_container_stays_after_its_end_and_goes_with_rm(lab: Lab) -> None:
    lab("run", "--name", "stays", TINY, "true")
    lab("run", "--name", "goes", "--rm", TINY, "true")

    assert lab.status("stays") == "exited"
    assert not lab.exists("goes")


def test_rm_removes_anonymous_volumes_and_keeps_named_ones(lab: Lab) -> None:
    lab.run("-v", "/anonymous", "-v", "kept:/named", TINY, "touch", "/anonymous/a", "/named/b")

    wait_until(lambda: os.listdir(os.path.join(lab.home, "data/volumes")) == ["kept"])


def test_a_detached_container_runs_on_and_its_id_is_printed(lab: Lab) -> None:
    container_id = lab.start("--name", "far", TINY, "sleep", "1000")

    assert len(container_id) == 64
    assert lab.status("far") == "running"


def test_a_name_is_given_once(lab: Lab) -> None:
    lab.output("create", "--name", "one", TINY, "true")
    second = lab("create", "--name", "one", TINY, "true")

    assert second.returncode == 1
    assert 'The container name "/one" is already in use' in second.stderr
    assert len(lab.output("ps", "-aq").split()) == 1


def test_the_entrypoint_of_the_command_line_wins(lab: Lab) -> None:
    assert lab.run("--entrypoint", "echo", TINY, "one", "two").stdout == "one two\n"


def test_a_command_that_ends_at_once_loses_no_output(lab: Lab) -> None:
    for number in range(10):
        assert lab.run(TINY, "echo", str(number)).stdout == f"{number}\n"


def test_the_end_of_the_command_ends_its_children(lab: Lab) -> None:
    container_id = lab.start("--name", "parent", TINY, "sh", "-c", "sleep 1000 & sleep 1000 & exec sleep 0.2")

    wait_until(lambda: lab.status("parent") == "exited")
    assert lab.record(container_id[:0] + "parent")["exit_code"] == 0
    wait_until(lambda: not lab.processes())
