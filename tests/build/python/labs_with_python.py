"""Programs that use labbox as a library, run as the person of a laboratory that has a Debian system with Python."""

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from typing import Any

import packaging
import pytest

from harness.laboratory import Lab

_MINUTES = 60.0
_FOLDER = os.path.dirname(__file__)
_ARCHIVE = "http://deb.debian.org/debian/dists/stable/InRelease"
_INDEX = "https://pypi.org/simple/six/"


def skip_without(*addresses: str) -> None:
    """Skip the test where the Debian archive or the package index cannot be reached."""
    for address in addresses or (_ARCHIVE,):
        try:
            urllib.request.urlopen(address, timeout=20).close()
        except (OSError, urllib.error.URLError):
            pytest.skip("the Debian archive cannot be reached" if address == _ARCHIVE else "PyPI cannot be reached")


def skip_without_index() -> None:
    """Skip the test where either cannot be reached."""
    skip_without(_ARCHIVE, _INDEX)


def have_system(lab: Lab, release: str, packages: str) -> str:
    """The name of an image of a release with packages, assembled in the laboratory."""
    lab.output("bootstrap", release, "--include", packages, "--tag", "with-python", timeout=4 * _MINUTES)
    return "with-python"


def forget_systems(lab: Lab) -> None:
    """Remove what `have_system` made."""
    lab("rmi", "-f", "with-python")


def run_program(lab: Lab, name: str, *arguments: str, timeout: float = 4 * _MINUTES, **environment: str) -> Any:
    """What the program `name` of this folder prints, which is JSON."""
    copy = os.path.join(lab.installation.source, "packaging")
    if not os.path.exists(copy):
        shutil.copytree(os.path.dirname(packaging.__file__), copy, ignore=shutil.ignore_patterns("__pycache__"))
    with open(os.path.join(_FOLDER, f"{name}.py"), encoding="utf-8") as file:
        text = file.read()
    done = subprocess.run(
        [lab.installation.python, "-c", text, *arguments],
        check=False, capture_output=True, text=True, timeout=timeout, **lab.options({"environment": environment}),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
