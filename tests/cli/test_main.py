import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from labbox import __version__
from labbox.cli import reference
from labbox.cli.absent import ABSENT_COMMANDS
from labbox.cli.flags import Command, HelpWanted, parse
from labbox.cli.help import render_command, render_overview
from labbox.cli.main import main
from labbox.cli.table_of_commands import COMMANDS, GROUPS, SECTIONS

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("line", "message", "hint", "code"),
    [
        ("--foo", "unknown flag: --foo", None, 125),
        ("foo", "unknown command: labbox foo", "did you mean `labbox info`?", 1),
        ("rn", "unknown command: labbox rn", "did you mean `labbox run`?", 1),
        ("image foo", "unknown command: labbox image foo", None, 1),
        ("image lst", "unknown command: labbox image lst", "did you mean `labbox image ls`?", 1),
        ("help foo", "unknown command: labbox foo", "did you mean `labbox info`?", 1),
        ("run", "'labbox run' requires at least 1 argument", None, 1),
        ("container run", "'labbox run' requires at least 1 argument", None, 1),
        ("exec x", "'labbox exec' requires at least 2 arguments", None, 1),
        ("rename a", "'labbox rename' requires 2 arguments", None, 1),
        ("ps extra", "'labbox ps' accepts no arguments", None, 1),
        ("volume create x y", "'labbox volume create' requires at most 1 argument", None, 1),
        ("run --nam x y", "unknown flag: --nam", "did you mean --name?", 125),
    ],
)
def test_a_mistake_is_told_in_dockers_words_with_the_nearest_thing(
    capsys: pytest.CaptureFixture[str], line: str, message: str, hint: str | None, code: int
) -> None:
    assert main(line.split()) == code
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert not out
    assert lines[0] == f"labbox: {message}"
    assert (lines[1] or None) == (None if hint is None else f"hint: {hint}")
    assert any(line.startswith("Usage:  labbox") for line in lines)


@pytest.mark.parametrize(
    ("line", "start", "hint", "code"),
    [
        ("container pause x", "labbox has no command `pause`", "labbox stop", 1),
        ("run --blkio-weight 5 x", "labbox has no --blkio-weight", "--memory", 125),
        ("run -c 5 x", "labbox has no -c", "--cpus", 125),
        ("-H tcp://x ps", "labbox has no -H", "leave it out", 125),
    ],
)
def test_what_only_docker_has_is_answered_in_one_line_with_the_way_out(
    capsys: pytest.CaptureFixture[str], line: str, start: str, hint: str, code: int
) -> None:
    assert main(line.split()) == code
    message, way_out = capsys.readouterr().err.splitlines()
    assert message.startswith(f"labbox: {start}")
    assert way_out.startswith("hint: ")
    assert hint in way_out


@pytest.mark.parametrize("line", ["", "--help", "-h", "help", "-D --help"])
def test_the_overview_shows_every_command_once(capsys: pytest.CaptureFixture[str], line: str) -> None:
    assert main(line.split()) == 0
    out = capsys.readouterr().out
    assert out == render_overview() + "\n"
    for name in (*COMMANDS, *GROUPS):
        assert sum(text.split()[:1] == [name] for text in out.splitlines() if text.startswith("  ")) == 1


@pytest.mark.parametrize("line", ["--version", "-v", "--version ps"])
def test_the_version_is_told(capsys: pytest.CaptureFixture[str], line: str) -> None:
    assert main(line.split()) == 0
    assert capsys.readouterr().out == f"labbox version {__version__}\n"


def test_help_of_a_command_is_the_same_by_every_way(capsys: pytest.CaptureFixture[str]) -> None:
    pages = []
    for line in (
        "ps --help",
        "ps -h",
        "help ps",
        "container ls --help",
        "container ps -a --help extra",
        "help container list",
    ):
        assert main(line.split()) == 0
        pages.append(capsys.readouterr().out)
    assert set(pages) == {pages[0]}
    assert "  -a, --all" in pages[0]


def test_help_of_a_group_lists_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["volume"]) == 0
    assert "  prune" in capsys.readouterr().out


def test_every_command_of_the_table_has_a_module_with_help() -> None:
    sections = [name for section in SECTIONS for name in section.names]
    assert sorted(sections) == sorted(COMMANDS)
    for command in reference.every_command():
        page = render_command(command)
        assert max(len(line) for line in page.splitlines() if "Usage:" not in line) <= 85  # a word may stick out
        with pytest.raises(HelpWanted):
            parse(command, ["--help"])


@pytest.mark.parametrize("command", list(reference.every_command()), ids=lambda command: command.name)
def test_the_flags_of_a_command_have_their_names_and_letters_once(command: Command) -> None:
    names = [flag.name for flag in command.flags]
    letters = [flag.short for flag in command.flags if flag.short]
    assert len(set(names)) == len(names)
    assert len(set(letters)) == len(letters)
    assert not set(names) & {"help"}


def test_no_command_is_both_there_and_absent() -> None:
    there = {*COMMANDS, *GROUPS, *(f"{group} {name}" for group, entries in GROUPS.items() for name in entries.entries)}
    assert not there & ABSENT_COMMANDS.keys()


def test_the_reference_page_is_current() -> None:
    written = (REPOSITORY / reference.DEFAULT_PATH).read_text(encoding="utf-8")
    assert written == reference.render_reference(), "run: python -m labbox.cli.reference"


def test_a_reader_that_goes_away_is_no_failure_of_ours() -> None:
    program = "import sys; from labbox.cli.main import main; sys.exit(main(['--help']))"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == b""


def test_ctrl_c_ends_labbox_by_the_signal_so_that_a_shells_loop_ends_too() -> None:
    command = [sys.executable, "-m", "labbox", "volume", "prune"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asking:
        assert asking.stdout is not None
        assert asking.stderr is not None
        while b"[y/N]" not in asking.stdout.peek():  # type: ignore[attr-defined]
            pass
        asking.send_signal(signal.SIGINT)
        assert asking.wait() == -signal.SIGINT
        assert asking.stderr.read() == b""


def test_an_unforeseen_fault_is_one_line_and_a_traceback_only_when_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COMMANDS, "ps", COMMANDS["ps"]._replace(module="no_such_module"))
    assert main(["ps"]) == 1
    assert "Traceback" not in capsys.readouterr().err
    monkeypatch.setenv("LABBOX_DEBUG", "1")
    assert main(["ps"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_the_command_line_before_the_engine_imports_nothing_heavy() -> None:
    program = (
        "import sys, labbox.cli.main, labbox.cli.container_flags, labbox.cli.values.environment\n"
        "print(*sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    heavy = {
        "argparse",
        "dataclasses",
        "inspect",
        "pathlib",
        "subprocess",
        "urllib",
        "shutil",
        "asyncio",
        "logging",
        "json",
    }
    assert not heavy & set(done.stdout.split()) - set(_modules_of_a_bare_interpreter())


def _modules_of_a_bare_interpreter() -> list[str]:
    program = "import sys; print(*sys.modules)"
    return subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
