"""Formatter, linter and types are part of the suite: `pytest` is the only command a contributor needs."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]],
    ids=" ".join,
)
@pytest.mark.timeout(280)
def test_the_code_passes(command: list[str]) -> None:
    if find_spec(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed (dependency group dev)")

    done = subprocess.run(
        [sys.executable, "-m", *command], check=False, capture_output=True, text=True, cwd=ROOT, timeout=270
    )

    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
