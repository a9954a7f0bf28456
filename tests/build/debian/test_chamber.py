import os
import socket
from pathlib import Path

import pytest

from build.debian.rooms import call_in_room
from labbox.build.debian.programs import make_runner
from labbox.errors import PackageError

_ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


def _run(root: Path, script: str, *, records_owners: bool = False) -> list[str]:
    """Run a shell script in a chamber with this machine's programs; what it wrote to descriptor 3."""
    runner = make_runner(_ENVIRONMENT, records_owners=records_owners)
    lines: list[str] = []

    def work() -> list[str]:
        runner.run(["/bin/sh", "-c", script], on_status=lines.append)
        return lines

    return call_in_room(str(root), work, with_programs=True)


def test_the_root_is_the_folder_and_nothing_else(tmp_path: Path) -> None:
    names = call_in_room(str(tmp_path), lambda: sorted(os.listdir("/")))
    assert names == ["dev", "proc"]


def test_the_chamber_has_its_own_host_name_processes_and_network(tmp_path: Path) -> None:
    def look() -> tuple[str, int, list[str], list[str]]:
        with open("/proc/net/dev", encoding="utf-8") as file:
            devices = [line.split(":")[0].strip() for line in file if ":" in line]
        return socket.gethostname(), os.getpid(), devices, [name for name in os.listdir("/proc") if name.isdigit()]

    assert call_in_room(str(tmp_path), look) == ("localhost", 1, ["lo"], ["1"])


def test_devices_work_and_may_be_created_over(tmp_path: Path) -> None:
    assert _run(tmp_path, "echo x > /dev/null && head -c 2 /dev/zero | wc -c >&3") == ["2"]


def test_a_failing_program_is_named_with_the_end_of_its_output(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"(?s)failed with exit status 3:\n.*it went wrong"):
        _run(tmp_path, "echo it went wrong >&2; exit 3")


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    runner = make_runner(_ENVIRONMENT, records_owners=False)
    with pytest.raises(PackageError, match="`/nothing` failed with exit status 127"):
        call_in_room(str(tmp_path), lambda: runner.run(["/nothing"]))


def test_programs_do_not_sleep(tmp_path: Path) -> None:
    assert _run(tmp_path, "sleep 100; echo awake >&3") == ["awake"]


def test_what_a_program_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    assert _run(tmp_path, "tail -f /dev/null & echo done >&3") == ["done"]


def test_changes_of_owner_are_recorded(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    _run(tmp_path, "echo x > /etc/a; chown 12:34 /etc/a", records_owners=True)
    assert os.getxattr(tmp_path / "etc" / "a", "user.labbox.owner") == b"12:34"


def test_nothing_of_the_chamber_is_left_mounted(tmp_path: Path) -> None:
    call_in_room(str(tmp_path), lambda: None, with_programs=True)
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        assert str(tmp_path) not in file.read()
    assert os.listdir(tmp_path / "dev") == os.listdir(tmp_path / "usr") == []
