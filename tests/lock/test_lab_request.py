from dataclasses import replace
from pathlib import Path

import pytest

from labbox.definition.values import ContainerRequest, Definition, PythonRequest, ServicesRequest
from labbox.errors import UsageError
from labbox.lock.lab_request import is_legacy, request_digest, wanted_python, wanted_services

_DEFINITION = Definition(name="x", python=PythonRequest(packages=("numpy", "torch"), files=("a.txt",)))


@pytest.fixture(autouse=True)
def _requirements(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r b.txt\n")
    (tmp_path / "b.txt").write_text("einops\n")


def _digest(folder: Path, definition: Definition = _DEFINITION) -> str:
    return request_digest(definition, str(folder))


def test_only_what_shapes_a_resolution_counts(tmp_path: Path) -> None:
    digest = _digest(tmp_path)
    assert _digest(tmp_path, replace(_DEFINITION, name="y", container=ContainerRequest(memory_bytes=1))) == digest
    logs = ServicesRequest(tensorboard="other")
    assert _digest(tmp_path, replace(_DEFINITION, services=logs)) == digest
    reordered = replace(_DEFINITION.python, packages=("torch", "numpy"))
    assert _digest(tmp_path, replace(_DEFINITION, python=reordered)) == digest


@pytest.mark.parametrize(
    "other",
    [
        replace(_DEFINITION, system="debian:12"),
        replace(_DEFINITION, system_packages=("git",)),
        replace(_DEFINITION, python=replace(_DEFINITION.python, packages=("numpy",))),
        replace(_DEFINITION, python=replace(_DEFINITION.python, version="3.13")),
        replace(_DEFINITION, services=ServicesRequest(jupyter=False)),
        replace(_DEFINITION, services=ServicesRequest(tensorboard=None)),
    ],
)
def test_every_change_of_what_is_wanted_is_seen(tmp_path: Path, other: Definition) -> None:
    assert _digest(tmp_path, other) != _digest(tmp_path)


def test_a_change_of_an_included_requirements_file_is_seen(tmp_path: Path) -> None:
    before = _digest(tmp_path)
    (tmp_path / "b.txt").write_text("einops>1\n")
    assert _digest(tmp_path) != before


def test_of_pyproject_only_its_requirements_count(tmp_path: Path) -> None:
    definition = Definition(name="x", python=PythonRequest(project=True))
    with pytest.raises(UsageError, match=r"pyproject\.toml"):
        _digest(tmp_path, definition)
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "x"\ndependencies = ["a"]\n')
    before = _digest(tmp_path, definition)
    project.write_text('[project]\nname = "y"\nversion = "2"\ndependencies = ["a"]\n[tool.ruff]\nx = 1\n')
    assert _digest(tmp_path, definition) == before
    (tmp_path / "uv.lock").write_text("version = 1\n")
    with_lock = _digest(tmp_path, definition)
    assert with_lock != before
    project.write_text('[project]\nname = "x"\ndependencies = ["a>1"]\n')
    assert _digest(tmp_path, definition) != with_lock


def test_a_lab_has_pip_and_with_jupyter_a_kernel() -> None:
    assert wanted_python(_DEFINITION).requirements == ("numpy", "torch", "pip", "ipykernel")
    assert wanted_services(_DEFINITION).requirements == ("jupyterlab", "jupyter-server-proxy", "tensorboard")
    bare = replace(_DEFINITION, services=ServicesRequest(jupyter=False, tensorboard=None))
    assert wanted_python(bare).requirements == ("numpy", "torch", "pip")
    assert wanted_services(bare).requirements == ()


@pytest.mark.parametrize(("language", "legacy"), [("2.7", True), ("3.7", True), ("3.8", False), ("3.13", False)])
def test_old_pythons_are_not_for_uv(language: str, *, legacy: bool) -> None:
    assert is_legacy(language) is legacy
