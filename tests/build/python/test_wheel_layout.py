"""Where a wheel's files go, beside what pip does with the same wheel."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from build.python.installed import describe, install
from build.python.wheels import NAME, open_bytes, plain_wheel
from labbox.build.python.target import Target, environment_target, services_target
from labbox.build.python.wheel_file import Launcher, read_wheel
from labbox.build.python.wheel_layout import PlacedFile, launcher_text, place_files, rewrite_shebang
from labbox.errors import ArchiveError

SITE = "opt/env/lib/python3.13/site-packages"
FILES = {
    "sample/__init__.py": b"value = 1\n",
    "sample/tool": b"#!/bin/sh\n",
    "sample-1.0.data/scripts/run": b"#!python -E\nprint('run')\n",
    "sample-1.0.data/scripts/shell": b"#!/bin/sh\n",
    "sample-1.0.data/data/share/man/sample.1": b"manual",
    "sample-1.0.data/headers/sample.h": b"int sample;",
    "sample-1.0.data/purelib/pure.py": b"pure = 1\n",
    "sample-1.0.data/platlib/plat.py": b"plat = 1\n",
}
ENTRY_POINTS = "[console_scripts]\nsample = sample.main:App.run [extra]\n\n[gui_scripts]\nSampleX=sample:show\n"


def placed(folder: Any, data: bytes, target: Target, file_name: str = NAME) -> dict[str, PlacedFile]:
    descriptor = open_bytes(folder, data)
    try:
        return {file.path: file for file in place_files(read_wheel(descriptor, file_name), target)}
    finally:
        os.close(descriptor)


def test_every_scheme_has_its_place(tmp_path: Path) -> None:
    wheel = plain_wheel(FILES, executable=["sample/tool"], entry_points=ENTRY_POINTS)
    files = placed(tmp_path, wheel, environment_target("3.13"))

    assert {path: f"{file.mode:o}" for path, file in files.items() if "dist-info" not in path} == {
        f"{SITE}/sample/__init__.py": "644",
        f"{SITE}/sample/tool": "755",
        f"{SITE}/pure.py": "644",
        f"{SITE}/plat.py": "644",
        "opt/env/bin/run": "755",
        "opt/env/bin/shell": "755",
        "opt/env/bin/sample": "755",
        "opt/env/bin/SampleX": "755",
        "opt/env/share/man/sample.1": "644",
        "opt/env/include/site/python3.13/sample/sample.h": "644",
    }


def test_python_2_has_the_same_folders(tmp_path: Path) -> None:
    files = placed(tmp_path, plain_wheel(FILES), environment_target("2.7"))
    assert "opt/env/lib/python2.7/site-packages/sample/__init__.py" in files


def test_scripts_start_with_the_environments_python() -> None:
    assert rewrite_shebang(b"#!python\nx", "/p") == b"#!/p\nx"
    assert rewrite_shebang(b"#!pythonw -E\r\nx", "/p") == b"#!/p -E\nx"
    assert rewrite_shebang(b"#!python", "/p") == b"#!/p"
    assert rewrite_shebang(b"#!python3\nx", "/p") is None
    assert rewrite_shebang(b"#!/usr/bin/python\nx", "/p") is None


def test_a_launcher_calls_its_function(tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text("class App:\n    @staticmethod\n    def run():\n        return 7\n")
    text = launcher_text(Launcher(name="x", module="tool", attribute="App.run"), sys.executable)
    assert text.startswith(f"#!{sys.executable}\n".encode())
    (tmp_path / "x").write_bytes(text)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    assert subprocess.run([sys.executable, tmp_path / "x"], check=False, env=environment).returncode == 7


def test_a_plain_record_keeps_its_bytes_and_gets_rows_behind_them(tmp_path: Path) -> None:
    root = install(tmp_path, plain_wheel({"a.py": b"1"}, entry_points="[console_scripts]\nx = a:b\n"))
    lines = (Path(root) / SITE / "sample-1.0.dist-info/RECORD").read_text().splitlines()
    assert lines[0].startswith("a.py,sha256=")
    assert lines[-3] == "sample-1.0.dist-info/RECORD,,"
    assert lines[-2].startswith("../../../bin/x,sha256=")
    assert lines[-1].startswith("sample-1.0.dist-info/INSTALLER,sha256=")
    assert lines[-1].endswith(",7")


def test_a_record_of_moved_files_is_written_anew_and_true(tmp_path: Path) -> None:
    installer = {"sample-1.0.dist-info/INSTALLER": b"somebody else\n"}
    root = install(tmp_path, plain_wheel({**FILES, **installer}, entry_points=ENTRY_POINTS))
    record = (Path(root) / SITE / "sample-1.0.dist-info/RECORD").read_text().splitlines()
    listed = {os.path.normpath(os.path.join(SITE, row.split(",")[0])): row.split(",") for row in record}
    assert listed.keys() == describe(root).keys()
    assert len(record) == len(listed)
    for path, content in describe(root).items():
        if not path.endswith("RECORD"):
            assert listed[path][2] == str(len(content))
    assert (Path(root) / SITE / "sample-1.0.dist-info/INSTALLER").read_bytes() == b"labbox\n"


def test_two_files_at_one_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="two files are installed"):
        placed(tmp_path, plain_wheel({"pure.py": b"1", **FILES}), services_target("3.13"))


def test_pip_installs_the_same_files(tmp_path: Path) -> None:
    """As far as the contents are not each installer's own: launchers and records."""
    wheel = plain_wheel(FILES, executable=["sample/tool"], entry_points=ENTRY_POINTS)
    language = f"{sys.version_info.major}.{sys.version_info.minor}"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (tmp_path / NAME).write_bytes(wheel)
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(tmp_path / "venv/bin/python"),
        "install",
        "--no-compile",
        "-q",
    ]
    done = subprocess.run(
        [*command, "--no-index", "--disable-pip-version-check", tmp_path / NAME], check=False, capture_output=True
    )
    if b"No module named pip" in done.stderr:
        pytest.skip("pip is not installed")
    assert done.returncode == 0, done.stderr
    before = {"pyvenv.cfg", "lib64"}
    theirs = {
        path: content
        for path, content in describe(str(tmp_path / "venv")).items()
        if not path.startswith(("bin/python", "bin/activate", "bin/Activate", *before))
    }
    target = Target(prefix=str(tmp_path / "venv"), language=language)
    ours = placed(tmp_path, wheel, target)
    top = str(tmp_path / "venv").strip("/")
    own = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}

    def shared(paths: Any) -> set[str]:
        return {path for path in paths if path.rpartition("/")[2] not in own}

    assert shared(path.removeprefix(f"{top}/") for path in ours) == shared(theirs)
    # pip drops the options of `#!python -E`
    assert ours[f"{top}/bin/run"].text.splitlines()[1:] == theirs["bin/run"].splitlines()[1:]
