"""Where measurements are taken: labbox and docker with the same image, in a folder that is removed afterwards."""

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmarks.docker_engine import running_docker, why_no_docker
from benchmarks.labbox_installed import install_labbox, labbox_at, python_of
from benchmarks.programs import ROOT, Engine, call
from labbox.testing.tiny_image import write_tiny_image

IMAGE = "bench"
HOST_PYTHON = "/usr/bin/python3"
HOST_MOUNTS = ("-v", "/usr:/usr:ro", "-v", f"{ROOT}/benchmarks:/benchmarks:ro")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """The two engines, with `IMAGE` in both; `docker` is None for the reason `docker_missing`."""

    folder: str
    labbox: Engine
    docker: Engine | None
    docker_missing: str
    is_quick: bool

    @property
    def engines(self) -> list[Engine]:
        return [self.labbox] if self.docker is None else [self.labbox, self.docker]

    @property
    def docker_remark(self) -> str:
        """What a figure says about a docker that is not there."""
        return f"docker is {self.docker_missing}" if self.docker_missing else ""

    @property
    def labbox_python(self) -> str:
        """The interpreter that labbox is installed in."""
        return python_of(os.path.join(self.folder, "venv"))

    def new_labbox(self, name: str) -> Engine:
        """The same labbox with nothing in its home."""
        engine = labbox_at(self.labbox.command[0], os.path.join(self.folder, name))
        _empty(engine)
        return engine

    def repetitions(self, usual: int, quick: int) -> int:
        return quick if self.is_quick else usual


@contextmanager
def open_workbench(parent: str, *, wants_docker: bool, is_quick: bool) -> Iterator[Workbench]:
    """Install labbox, start docker where possible, and give both the image."""
    folder = tempfile.mkdtemp(prefix="labbox-benchmark-", dir=parent)
    with ExitStack() as stack:
        stack.callback(_put_away, folder)
        labbox = labbox_at(install_labbox(os.path.join(folder, "venv")), os.path.join(folder, "home"))
        missing = why_no_docker() if wants_docker else "not part of these measurements"
        docker = None if missing else stack.enter_context(running_docker(os.path.join(folder, "docker")))
        bench = Workbench(folder=folder, labbox=labbox, docker=docker, docker_missing=missing, is_quick=is_quick)
        archive = os.path.join(folder, "image.tar")
        with open(archive, "wb") as file:
            write_tiny_image(file)
        for engine in bench.engines:
            engine.call("import", archive, IMAGE)
        yield bench


def read_conditions(bench: Workbench) -> dict[str, str]:
    """What the figures depend on: processors, kernel, versions, who we are, how busy the machine is."""
    conditions = {
        "processors": str(os.cpu_count()),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        "labbox": bench.labbox.call("--version").removeprefix("labbox version "),
        "user": "root" if os.geteuid() == 0 else "an ordinary user",
        "file system": call(["df", "--output=fstype", bench.folder]).split()[-1],
        "load before": f"{os.getloadavg()[0]:.1f}",
        "docker": bench.docker_missing,
    }
    if bench.docker is not None:
        conditions["docker"] = bench.docker.call("version", "--format", "{{.Server.Version}}")
    return conditions


def host_python_missing() -> str:
    """Why programs of the host cannot run in the image; empty when they can.

    The image's /lib and /lib64 are links into /usr, which is mounted from the host, the same for both engines.
    """
    merged = all(os.path.islink(path) for path in ("/lib", "/lib64") if os.path.exists(path))
    return "" if merged and os.path.exists(HOST_PYTHON) else f"needs {HOST_PYTHON} on a merged /usr"


def inside(name: str, *arguments: str) -> list[str]:
    """The command that runs a Python file of this folder in a container that has `HOST_MOUNTS`."""
    return [HOST_PYTHON, "-S", f"/benchmarks/{name}", *arguments]


def on_host(name: str, *arguments: str) -> list[str]:
    """The same on the host, by the same interpreter."""
    return [HOST_PYTHON, "-S", os.path.join(ROOT, "benchmarks", name), *arguments]


def _put_away(folder: str) -> None:
    """Remove the folder and what runs in it."""
    command = os.path.join(folder, "venv", "bin", "labbox")
    for name in os.listdir(folder):
        if os.path.isdir(os.path.join(folder, name, "data", "store")):
            _empty(labbox_at(command, os.path.join(folder, name)))
    shutil.rmtree(folder, ignore_errors=True)


def _empty(engine: Engine) -> None:
    """Remove a labbox's home; what belongs to subordinate ids only labbox itself can remove."""
    home = engine.environment["LABBOX_HOME"]
    if os.path.isdir(home):
        left = engine.call("ps", "-aq").split()
        if left:
            engine.call("rm", "-f", *left)
        engine.call("image", "prune", "--all", "--force")
        shutil.rmtree(home)
