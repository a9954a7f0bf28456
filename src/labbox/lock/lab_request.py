"""What a definition asks of a lock: the packages by name, and the digest by which a lock is seen to be out of date."""

import hashlib
import json
import os
import tomllib
from typing import Any

from labbox.definition.values import Definition
from labbox.errors import UsageError
from labbox.packages.python.requirements_files import read_requirements_files
from labbox.packages.python.wanted import WantedPackages

# What every lab on Debian has besides the base system.
LAB_BASE = ("ca-certificates", "python3", "sudo")
_RULES = 1  # of what a definition implies: a change of the rules is a new number
_LEGACY = ((2, 0), (3, 8))


def wanted_python(definition: Definition) -> WantedPackages:
    """The packages of the lab's environment: those of the definition, pip, and the kernel where Jupyter is wanted."""
    python = definition.python
    own = ("pip", "ipykernel") if definition.services.jupyter else ("pip",)
    return WantedPackages(
        requirements=(*python.packages, *own),
        files=python.files,
        project=python.project,
        groups=python.groups,
        indexes=python.indexes,
        find_links=python.find_links,
    )


def wanted_services(definition: Definition) -> WantedPackages:
    """The packages of the services' environment."""
    names: list[str] = []
    if definition.services.jupyter:
        names += ["jupyterlab", "jupyter-server-proxy"]
    if definition.services.tensorboard is not None:
        names.append("tensorboard")
    return WantedPackages(
        requirements=tuple(names), indexes=definition.python.indexes, find_links=definition.python.find_links
    )


def is_legacy(language: str) -> bool:
    """True for a Python that uv does not resolve for."""
    major, minor = map(int, language.split(".")[:2])
    return _LEGACY[0] <= (major, minor) < _LEGACY[1]


def request_digest(definition: Definition, folder: str) -> str:
    """The sha256 of everything that shapes a resolution; what only shapes the container is not in it."""
    document = {
        "rules": _RULES,
        "system": definition.system,
        "base": LAB_BASE,
        "system_packages": sorted(definition.system_packages),
        "python": python_request_digest(definition, folder),
        "services": wanted_services(definition).requirements,
    }
    if definition.system.startswith("./"):
        document["dockerfile"] = _digest(os.path.join(folder, definition.system))
    return _digest_of(document)


def python_request_digest(definition: Definition, folder: str) -> str:
    """The sha256 of everything that shapes the resolution of the lab's own Python packages, but for its system."""
    python = definition.python
    document = {
        "rules": _RULES,
        "version": python.version,
        "packages": sorted(wanted_python(definition).requirements),
        "files": [[file.path, file.text] for file in read_requirements_files(folder, python.files)],
        "project": _shaping_of_project(folder) if python.project else None,
        "groups": sorted(python.groups),
        "indexes": python.indexes,
        "find_links": python.find_links,
    }
    return _digest_of(document)


def _shaping_of_project(folder: str) -> list[Any]:
    """The parts of pyproject.toml that say what is required, and uv.lock."""
    path = os.path.join(folder, "pyproject.toml")
    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"cannot read `{path}`: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"cannot read `{path}`: {error}") from error
    project = document.get("project", {})
    tool = document.get("tool", {})
    keys = ("requires-python", "dependencies", "optional-dependencies", "dynamic")
    return [
        {key: project.get(key) for key in keys},
        document.get("dependency-groups"),
        tool.get("uv"),
        tool.get("poetry"),
        _digest(os.path.join(folder, "uv.lock")),
    ]


def _digest_of(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()


def _digest(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
