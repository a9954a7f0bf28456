"""The supervisor as the main process of real containers, in each identity mode."""

import json
import os
import shutil
import time
import urllib.request
from pathlib import Path

import pytest

from harness.dockerd import Docker
from harness.laboratory import HOST_PROGRAMS, TINY, Lab
from harness.waiting import wait_until
from labbox.services.inside_programs import read_source
from labbox.services.status import ServiceState, read_state, read_status, request
from services.supervised import service

PYTHON = "/usr/bin/python3"
pytestmark = pytest.mark.skipif(not os.path.exists(PYTHON), reason="this host has no /usr/bin/python3")


def prepare(lab: Lab, *services: object, after_create: tuple[str, ...] = ()) -> tuple[str, str, list[str]]:
    """The run folder, the project folder, and the flags of a container that mounts them."""
    run, project, program = lab.folder("run"), lab.folder("project"), lab.folder("program")
    for name in ("bin", "etc"):
        os.makedirs(f"{program}/{name}")
    with open(f"{program}/bin/labbox-services", "wb") as file:
        file.write(read_source("supervisor.py"))
    with open(f"{program}/etc/services.json", "w", encoding="utf-8") as text:
        json.dump({"services": services, "after_create": after_create}, text)
    mounts = [
        f"type=bind,source={run},target=/run/labbox,idmapped",
        f"type=bind,source={project},target=/workspace,idmapped",
    ]
    flags = [*HOST_PROGRAMS, "-u", "developer", "-v", f"{program}:/opt/labbox:ro"]
    return run, project, [*flags, *(word for mount in mounts for word in ("--mount", mount))]


def wait_for(run: str, name: str, state: str, restarts: int = 0) -> ServiceState:
    def found() -> ServiceState | None:
        states = {entry.name: entry for entry in read_status(f"{run}/status.json")}
        entry = states.get(name)
        return entry if entry and entry.state == state and entry.restarts >= restarts else None

    return wait_until(found, what=lambda: f"{name} is {state}: {read_state(f'{run}/status.json')}") or ServiceState(
        name, ""
    )


def test_the_host_sees_the_services_and_restarts_one(lab: Lab) -> None:
    web = service("web", PYTHON, "-m", "http.server", "8000", "--bind", "127.0.0.1", port=8000, path="/")
    noted = {**service("note", "sh", "-c", "date > made-inside; exec sleep 1000"), "folder": "/workspace"}
    run, project, flags = prepare(lab, web, noted, after_create=("echo hello > /workspace/first",))
    lab.start(
        "--name", "services", "-p", "127.0.0.1::8000", *flags, TINY, PYTHON, "-IS", "/opt/labbox/bin/labbox-services"
    )

    wait_for(run, "web", "ready")
    wait_for(run, "note", "ready")
    address = lab.output("port", "services", "8000/tcp")
    if lab.person.uid == os.geteuid():  # a published port answers to its owner
        with urllib.request.urlopen(f"http://{address}/") as answer:
            assert answer.status == 200
    request(run, "restart", "web")
    wait_for(run, "web", "ready", restarts=1)
    assert {os.stat(f"{project}/{name}").st_uid for name in ("first", "made-inside")} == {lab.person.uid}
    assert {os.stat(f"{run}/{name}").st_uid for name in ("status.json", "logs/web.log", "control")} == {lab.person.uid}

    started = time.monotonic()
    lab.output("stop", "services")
    assert time.monotonic() - started < 5
    assert {entry.state for entry in read_status(f"{run}/status.json")} == {"stopped"}
    assert lab.output("inspect", "--format", "{{.State.ExitCode}}", "services") == "0"


def test_without_the_folder_of_the_host_all_goes_to_the_containers_log(lab: Lab) -> None:
    web = service(
        "web", PYTHON, "-m", "http.server", "8000", "--bind", "127.0.0.1", port=8000, path="/", link="/?t={token}"
    )
    run, _, flags = prepare(lab, web)
    shutil.rmtree(run)
    flags = [flag for flag in flags if "/run/labbox" not in flag]
    del flags[flags.index("--mount")]
    lab.start(
        "--name", "plain", "-e", "JUPYTER_TOKEN=abc", *flags, TINY, PYTHON, "-IS", "/opt/labbox/bin/labbox-services"
    )

    lab.wait_for_output("plain", "labbox | http://127.0.0.1:8000/?t=abc")
    lab.wait_for_output("plain", "web | 127.0.0.1 - - ")


def test_as_dockers_process_1_it_prints_all_and_ends_at_once(docker: Docker, tmp_path: Path) -> None:
    web = service("web", PYTHON, "-m", "http.server", "8000", port=8000, path="/", link="/?t={token}")
    (tmp_path / "etc").mkdir()
    (tmp_path / "supervisor.py").write_bytes(read_source("supervisor.py"))
    (tmp_path / "etc/services.json").write_text(json.dumps({"services": [web]}), encoding="utf-8")
    flags = ("--network", "none", "-v", "/usr:/usr:ro", "-v", f"{tmp_path}:/opt/labbox:ro")
    program = (PYTHON, "-IS", "/opt/labbox/supervisor.py")
    started = docker("run", "-d", "--name", "lab", "-e", "JUPYTER_TOKEN=abc", *flags, TINY, *program)
    assert started.returncode == 0, started.stderr

    link = "labbox | http://127.0.0.1:8000/?t=abc"
    wait_until(lambda: link in docker("logs", "lab").stdout, what=lambda: docker("logs", "lab").stdout)
    before = time.monotonic()
    docker("stop", "lab")
    assert time.monotonic() - before < 5
    assert docker("inspect", "--format", "{{.State.ExitCode}}", "lab").stdout == "0\n"
