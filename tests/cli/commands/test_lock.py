"""`labbox lock`, `add`, `remove` and `export --format`, as typed."""

import json
import os
from pathlib import Path

import pytest

from actions.locking import LABBOX_FILE, Locking, start_locking
from labbox.cli.main import main
from packages.python.fixtures import environment, index_server, project
from packages.python.index_server import IndexServer
from packages.python.wheels import make_wheel

__all__ = ["environment", "index_server", "project"]


@pytest.fixture
def locking(
    index_server: IndexServer,
    environment: dict[str, str],
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Locking:
    index_server.add(make_wheel("a", "1.0"), make_wheel("b", "1.0"), make_wheel("pip", "26.0"))
    made = start_locking(project, tmp_path / "labbox", environment)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(project)
    return made


def test_lock_says_what_changed(locking: Locking, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock"]) == 0
    out, err = capsys.readouterr()
    assert out == "+ a 1.0\n+ pip 26.0\n"
    assert err.splitlines()[-1] == (
        "labbox.lock written: Python 3.13.5, 2 Python packages, 0 for services, 6 system packages"
    )
    assert main(["lock"]) == 0
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("labbox.lock is current: ")


def test_lock_check_changes_nothing_and_fails_when_it_is_out_of_date(
    locking: Locking, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path("labbox.lock").read_bytes()
    assert main(["lock", "--check"]) == 1
    assert capsys.readouterr().err.startswith(f"labbox: lock `{os.getcwd()}/labbox.lock` must be used as it is")
    assert Path("labbox.lock").read_bytes() == before
    assert main(["lock", "-q"]) == 0
    assert main(["lock", "--check", "-q"]) == 0


def test_packages_may_be_upgraded_by_name_from_elsewhere(
    locking: Locking, index_server: IndexServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["lock", "-q"])
    index_server.add(make_wheel("a", "2.0"), make_wheel("pip", "27.0"))
    monkeypatch.chdir("/")
    assert main(["lock", str(locking.folder), "--upgrade", "A"]) == 0
    assert capsys.readouterr().out == "~ a 1.0 -> 2.0\n"
    assert main(["lock", "-U", "pip", f"{locking.folder}/"]) == 0
    assert capsys.readouterr().out == "~ pip 26.0 -> 27.0\n"


def test_add_and_remove_change_definition_and_lock(locking: Locking, capsys: pytest.CaptureFixture[str]) -> None:
    main(["lock", "-q"])
    assert main(["add", "b"]) == 0
    out, err = capsys.readouterr()
    assert out == "+ b 1.0\n"
    assert err.endswith("changed: labbox.toml; next: labbox up\n")
    assert main(["remove", "b", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["changes"] == [{"part": "python", "name": "b", "old": "1.0", "new": None}]
    assert document["files"] == ["labbox.toml"]
    assert Path("labbox.toml").read_text() == LABBOX_FILE


def test_a_failure_is_one_message_with_a_hint(locking: Locking, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["add", "nosuch", "-q"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "labbox: there is no Python package `nosuch` in the index",
        "hint: Correct the name `nosuch`, or add its index.",
    ]


@pytest.mark.parametrize("name", ["requirements", "pylock", "dockerfile", "spdx"])
def test_a_lock_is_exported(locking: Locking, capsys: pytest.CaptureFixture[str], name: str) -> None:
    main(["lock", "-q"])
    assert main(["export", "--format", name]) == 0
    text = capsys.readouterr().out
    assert "pip" in text
    assert main(["export", "--format", name, "-o", "out", str(locking.folder)]) == 0
    assert Path("out").read_text() == text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("export", "'labbox export' requires 1 argument"),
        ("export --format nosuch", "unknown format `nosuch`"),
        ("export --format spdx", "lock `{here}/labbox.lock` is out of date"),
        ("lock a b", "'labbox lock' requires at most 1 argument"),
        ("lock nosuch", "project folder `nosuch` does not exist"),
        ("add", "'labbox add' requires at least 1 argument"),
    ],
)
def test_what_cannot_work_is_one_message(
    locking: Locking, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    assert main(line.split()) != 0
    assert capsys.readouterr().err.startswith(f"labbox: {message.format(here=os.getcwd())}")
