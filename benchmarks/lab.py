"""A lab of labbox: a copy of one of the examples, brought up, changed and measured."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.jupyter_answer import Address, read_address, seconds_until_new
from benchmarks.programs import ROOT, Engine, call
from benchmarks.workbench import Workbench
from labbox.lock.lab import LabLock
from labbox.lock.lab_file import FILE_NAME, read_lab_lock

SERVICES_PYTHON = "/opt/labbox/bin/python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A project folder and the labbox that keeps its lab."""

    engine: Engine
    project: str

    @property
    def name(self) -> str:
        return os.path.basename(self.project)

    @property
    def store(self) -> str:
        """The folder of images and layers, of all labs of this labbox."""
        return os.path.join(self.engine.environment["LABBOX_HOME"], "data", "store")

    @property
    def cache(self) -> str:
        """The folder of what was downloaded."""
        return os.path.join(self.engine.environment["LABBOX_HOME"], "data", "cache")

    def up(self) -> float:
        """Seconds of `up`, which waits until every service answers."""
        return self.engine.seconds("up", self.project)

    def up_until_jupyter(self, address: Address) -> tuple[float, float]:
        """Seconds of `up` until a new JupyterLab answers, and until `up` has ended."""
        return seconds_until_new(address, [*self.engine.command, "up", self.project], self.engine.environment)

    def add(self, requirement: str) -> float:
        return self.engine.seconds("add", "-C", self.project, requirement)

    def stop(self) -> None:
        self.engine.call("stop", self.name)

    def address(self) -> Address:
        """Where the JupyterLab of the running lab is published; it keeps that as long as the port is free."""
        services = json.loads(self.engine.call("status", "--json", self.project))["services"]
        return read_address(next(each["url"] for each in services if each["name"] == "jupyter"))

    def lock(self) -> LabLock:
        return read_lab_lock(os.path.join(self.project, FILE_NAME))

    def run_script(self, name: str, python: str, *arguments: str) -> str:
        """What a script of this folder prints that runs in the lab."""
        return self.engine.call(*self.script_arguments(name, python, *arguments))

    def script_arguments(self, name: str, python: str, *arguments: str) -> Sequence[str]:
        """The verb that runs a script of this folder in the lab; the script is copied into the project."""
        shutil.copy(os.path.join(ROOT, "benchmarks", name), self.project)
        return ["exec", "-i", self.name, python, f"/workspace/{name}", *arguments]


def new_lab(bench: Workbench, home: str, example: str) -> Lab:
    """A copy of `examples/NAME` whose labbox has downloaded and kept nothing, and has started nothing."""
    folder = os.path.join(bench.folder, home)
    bench.new_labbox(home)
    uv_cache = f"{folder}-uv"
    shutil.rmtree(uv_cache, ignore_errors=True)
    own = {name: value for name, value in bench.labbox.environment.items() if name != "LABBOX_CACHE"}
    engine = replace(bench.labbox, environment={**own, "LABBOX_HOME": folder, "UV_CACHE_DIR": uv_cache})
    project = os.path.join(bench.folder, f"{home}-projects", example)
    shutil.rmtree(os.path.dirname(project), ignore_errors=True)
    shutil.copytree(os.path.join(ROOT, "examples", example), project)
    return Lab(engine=engine, project=project)


def copy_lab(lab: Lab) -> Lab:
    """A copy of a lab's project, of the same labbox, which is not up."""
    project = f"{lab.project}-copy"
    shutil.copytree(lab.project, project)
    return replace(lab, project=project)


def disk_bytes(*folders: str) -> int:
    """What folders take on their disk, a file of several names counted once."""
    return sum(int(line.split()[0]) for line in call(["du", "-s", "--block-size=1", *folders]).splitlines())
