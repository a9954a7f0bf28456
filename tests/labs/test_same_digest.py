"""The same lock gives the same image: in another folder, for another user, in another mode."""

import shutil

import pytest

from harness.laboratory import Lab
from harness.project import Project
from harness.workplace import MODES, Workplace
from labs.conftest import lab_environment

# Some wheels share layers, and numpy (above 1 MiB) has one of its own.
WHEELS = """\
[packages]
python = ["numpy", "six", "packaging", "idna", "toolz", "certifi"]

[services]
jupyter = false
tensorboard = false

[services.web]
command = "exec python -m http.server 8000 --bind 127.0.0.1"
port = 8000
"""


@pytest.mark.timeout(240)
def test_one_lock_gives_one_image_everywhere(workplace: Workplace, laboratories: dict[str, Lab]) -> None:
    made: dict[str, tuple[str, str]] = {}
    lock = ""
    for mode in MODES:
        try:
            lab = (
                laboratories.setdefault(mode, workplace.make_lab(mode))
                if mode not in laboratories
                else laboratories[mode]
            )
        except LookupError:
            continue
        lab.environment |= lab_environment(lab, workplace)
        for folder in ("one", "two"):
            project = Project(lab, folder, WHEELS)
            if lock:
                project.write("labbox.lock", lock)
            document = project.up("--name", "same", "--recreate", *(["--frozen"] if lock else []))
            lock = lock or project.read("labbox.lock")
            assert project.read("labbox.lock") == lock
            assert project.output("exec", "python", "-c", "import numpy; print(numpy.arange(3).sum())") == "3"
            manifest = project.output(
                "inspect", "--type", "image", "--format", "{{index .RepoDigests 0}}", "localhost/same"
            )
            made[f"{mode} {folder}"] = (document["image_id"], manifest)
            project.output("down")
            shutil.rmtree(project.folder)
        lab.clear()

    assert len(made) >= 2
    assert len(set(made.values())) == 1, made
