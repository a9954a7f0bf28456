"""The packages that labbox depends on, copied to where every user can read them."""

import importlib.metadata
import os
import shutil
import tomllib

from packaging.requirements import Requirement

_PROJECT = os.path.join(os.path.dirname(__file__), "../../pyproject.toml")


def copy_dependencies(folder: str) -> None:
    """Copy what labbox requires into a folder for PYTHONPATH, laid out as `pip install --target` does."""
    with open(_PROJECT, "rb") as file:
        lines = tomllib.load(file)["project"]["dependencies"]
    for requirement in map(Requirement, lines):
        _copy_distribution(importlib.metadata.distribution(requirement.name), folder)


def _copy_distribution(distribution: importlib.metadata.Distribution, folder: str) -> None:
    for file in distribution.files or ():
        inside = [part for part in file.parts if part != ".."]  # programs are at ../../../bin
        target = os.path.join(folder, *inside)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.exists(file.locate()):  # RECORD may list compiled files that nobody has made
            shutil.copy2(str(file.locate()), target)
