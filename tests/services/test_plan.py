import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from labbox.definition.values import CustomService, Definition, HealthCheck, ServicesRequest
from labbox.errors import UsageError
from labbox.lock.lab import LockedInterpreter
from labbox.services.plan import DOCUMENT, ServicePlan, plan_services

PYTHON_3 = LockedInterpreter(version="3.13.5", path="/usr/bin/python3.13", abi="cp313")
PYTHON_2 = LockedInterpreter(version="2.7.18", path="/usr/bin/python2.7", abi="cp27mu")
KERNELS = "/opt/labbox/share/jupyter/kernels"


class Lock(NamedTuple):
    """As much of a lock as a plan needs."""

    interpreter: LockedInterpreter = PYTHON_3
    services_interpreter: LockedInterpreter = PYTHON_3


def plan(*, lock: Lock | None = None, after_create: tuple[str, ...] = (), **services: Any) -> ServicePlan:
    return plan_services(
        Definition(name="deck", services=ServicesRequest(**services), after_create=after_create), lock or Lock()
    )


def document(made: ServicePlan, path: str = DOCUMENT) -> Any:
    return json.loads(made.files[path])


def test_a_plain_lab_has_jupyterlab_and_tensorboard() -> None:
    made = plan()

    assert made.names == ("jupyter", "tensorboard")
    assert made.ports == {"jupyter": 8888, "tensorboard": 6006}
    assert made.environment["PATH"].startswith("/opt/env/bin:")
    jupyter, tensorboard = document(made)["services"]
    assert (jupyter["health"]["path"], jupyter["token_variable"]) == ("/api", "JUPYTER_TOKEN")
    assert tensorboard["argv"][-6:] == ["--logdir", "/workspace/logs", "--host", "127.0.0.1", "--port", "6006"]


@pytest.mark.parametrize(
    ("folder", "path"),
    [("logs", "/workspace/logs"), (".", "/workspace/."), ("", "/workspace"), ("/data/runs", "/data/runs")],
)
def test_tensorboard_reads_the_folder_of_the_project(folder: str, path: str) -> None:
    assert path in document(plan(jupyter=False, tensorboard=folder))["services"][0]["argv"]


def test_no_secret_stands_in_the_image() -> None:
    assert not any(b"token=" in content for path, content in plan().files.items() if not path.endswith(".json"))
    assert "token" not in " ".join(document(plan())["services"][0]["argv"])


def test_services_that_are_off_leave_nothing() -> None:
    made = plan(jupyter=False, tensorboard=None)

    assert made.names == ()
    assert made.ports == {}
    assert not any("jupyter_server_config" in path for path in made.files)
    assert "/opt/labbox/bin/labbox-services" in made.files


def test_a_service_of_ones_own_is_a_list_of_words_or_a_line_for_the_shell() -> None:
    health = HealthCheck(path="/live", timeout_seconds=5)
    words = CustomService(
        name="api", command=("uvicorn", "app:app"), port=8000, health=health, environment=(("A", "1"),)
    )
    line = CustomService(name="watch", command=("while :; do date; sleep 1; done",), shell=True, folder="/tmp")
    api, watch = document(plan(jupyter=False, tensorboard=None, custom=(words, line)))["services"]

    assert (api["argv"], api["port"], api["health"]) == (["uvicorn", "app:app"], 8000, {"path": "/live", "timeout": 5})
    assert api["environment"] == {"A": "1", "PYTHONUNBUFFERED": "1"}
    assert (watch["argv"], watch["folder"]) == (["/bin/sh", "-c", "while :; do date; sleep 1; done"], "/tmp")
    assert (watch["port"], watch["health"]) == (None, None)


@pytest.mark.parametrize(
    ("custom", "message"),
    [
        ((CustomService(name="jupyter", command=("x",)),), "two services are called `jupyter`"),
        ((CustomService(name="x", command=("x",), port=6006),), "`tensorboard` and `x` both want port 6006"),
    ],
)
def test_two_services_cannot_share_a_name_or_a_port(custom: tuple[CustomService, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan(custom=custom)


def test_the_kernel_is_the_labs_environment_and_says_so() -> None:
    made = plan()

    kernel = document(made, f"{KERNELS}/python3/kernel.json")
    assert kernel["argv"][0] == "/opt/env/bin/python"
    assert kernel["display_name"] == "Python 3.13"
    settings = document(made, "/opt/labbox/etc/jupyter/jupyter_server_config.json")
    assert settings["KernelSpecManager"] == {"ensure_native_kernel": False}
    assert settings["ServerProxy"]["servers"]["tensorboard"]["port"] == 6006


def test_a_python_2_lab_has_its_kernel_and_no_other() -> None:
    made = plan(lock=Lock(interpreter=PYTHON_2))

    kernel = document(made, f"{KERNELS}/python2/kernel.json")
    assert kernel["display_name"] == "Python 2.7"
    assert f"{KERNELS}/.wh..wh..opq" in made.files
    assert made.environment["PIP_PREFIX"] == "/opt/env"
    settings = document(made, "/opt/labbox/etc/jupyter/jupyter_server_config.json")
    assert settings["MultiKernelManager"]["default_kernel_name"] == "python2"


def test_nothing_is_asked_of_the_network() -> None:
    made = plan()

    lab = document(made, "/opt/labbox/etc/jupyter/jupyter_server_config.json")["LabApp"]
    assert (lab["news_url"], lab["extension_manager"]) == (None, "readonly")
    overrides = document(made, "/opt/labbox/share/jupyter/lab/settings/overrides.json")
    assert overrides["@jupyterlab/apputils-extension:notification"] == {"checkForUpdates": False, "fetchNews": "false"}


def test_a_plan_depends_on_the_definition_and_the_lock_alone() -> None:
    assert plan(after_create=("make",)) == plan(after_create=("make",))
    assert document(plan(after_create=("make", "make install")))["after_create"] == ["make", "make install"]


def test_programs_start_on_the_services_python() -> None:
    files = plan(
        lock=Lock(services_interpreter=LockedInterpreter(version="3.9.2", path="/usr/bin/python3.9", abi="cp39"))
    ).files

    assert files["/opt/labbox/bin/labbox-services"].startswith(b"#!/usr/bin/python3.9 -IS\n")


def test_the_launcher_keeps_slow_modules_out(tmp_path: Path) -> None:
    (tmp_path / "start.py").write_bytes(plan().files["/opt/labbox/share/labbox/start_jupyterlab.py"])
    (tmp_path / "jupyterlab").mkdir()
    (tmp_path / "jupyterlab" / "labapp.py").write_text(
        "import sys\ndef main(): print(sys.argv[1:], sys.modules['rfc3987_syntax'])\n", encoding="utf-8"
    )

    done = subprocess.run(
        [sys.executable, str(tmp_path / "start.py"), "--port=1"], check=True, capture_output=True, text=True
    )

    assert done.stdout == "['--port=1'] None\n"
