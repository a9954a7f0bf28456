"""-u and --group-add: who the command runs as, looked up in the image's own files."""

import pytest

from harness.laboratory import TINY, Lab
from harness.modes import many_ids, only_single

SHOW = "id -u; id -g; id -G; echo $HOME"


@many_ids
@pytest.mark.parametrize(
    ("user", "shown"),
    [
        ("", "0 0 0 /root"),
        ("0", "0 0 0 /root"),
        ("root", "0 0 0 /root"),
        ("1000", "1000 1000 1000 29 50 /home/developer"),
        ("developer", "1000 1000 1000 29 50 /home/developer"),
        ("tester", "1234 1235 1235 50 /home/tester"),
        ("tester:staff", "1234 50 50 /home/tester"),
        ("1234:29", "1234 29 29 /home/tester"),
        ("developer:0", "1000 0 0 /home/developer"),
        ("4321", "4321 0 0 /"),
        ("4321:4322", "4321 4322 4322 /"),
        ("65534", "65534 65534 65534 /nonexistent"),
    ],
    ids=lambda value: value or "none" if " " not in value else None,
)
def test_the_user_is_found_as_docker_finds_it(lab: Lab, user: str, shown: str) -> None:
    flags = ["-u", user] if user else []

    assert " ".join(lab.shell(SHOW, *flags).split()) == shown


@pytest.mark.parametrize(
    "user",
    ["0x0", "-1", "4294967296", "99999999999999999999", "nobody-knows", "root:no-such-group", "1000:", "root:-1", "²"],
)
def test_a_user_that_does_not_exist_is_refused(lab: Lab, user: str) -> None:
    if user == "1000:" and lab.mode != "single":
        assert lab.run("-u", user, TINY, "true").returncode == 0
        return
    done = lab.run("-u", user, TINY, "id")

    if user != "1000:":
        assert (done.returncode, done.stdout) == (125, ""), done.stderr
    assert "Traceback" not in done.stderr


@many_ids
def test_groups_are_added(lab: Lab) -> None:
    shown = lab.shell("id -G", "-u", "tester", "--group-add", "audio", "--group-add", "77")

    assert set(shown.split()) == {"1235", "50", "29", "77"}


@only_single
def test_with_one_id_the_command_may_be_any_one_user(lab: Lab) -> None:
    assert lab.shell("id -u; id -g", "-u", "1000:1000").split() == ["1000", "1000"]


@many_ids
def test_home_can_be_overridden_and_is_kept_otherwise(lab: Lab) -> None:
    assert lab.shell("echo $HOME", "-u", "developer", "-e", "HOME=/elsewhere") == "/elsewhere"


@many_ids
def test_a_user_without_capabilities_has_none(lab: Lab) -> None:
    lines = lab.shell("grep Cap /proc/self/status", "-u", "1000").splitlines()
    values = {line.split()[0]: int(line.split()[1], 16) for line in lines}

    assert values["CapEff:"] == values["CapPrm:"] == values["CapInh:"] == values["CapAmb:"] == 0


def test_exec_runs_as_the_containers_user_or_another(lab: Lab) -> None:
    user, other = ("1000:1000", "1000:1000") if lab.mode == "single" else ("1000", "1234")
    lab.start("--name", "base", "-u", user, TINY, "sleep", "1000")

    assert lab.output("exec", "base", "id", "-u") == "1000"
    if lab.mode != "single":
        assert lab.output("exec", "-u", other, "base", "id", "-u") == "1234"
