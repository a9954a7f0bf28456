"""Packages added to and removed from the files that a lab may be defined by."""

from pathlib import Path

import pytest

from actions.locking import LABBOX_FILE, Locking, start_locking
from labbox.actions.change_packages import PackageChange, PackagesChanged, change_packages
from labbox.errors import LabboxError, NotFoundError, ResolutionError, UsageError
from packages.python.index_server import IndexServer
from packages.python.wheels import make_wheel

_NO_SERVICES = "[tool.labbox.services]\njupyter = false\ntensorboard = false\n"


@pytest.fixture
def locking(index_server: IndexServer, environment: dict[str, str], project: Path, tmp_path: Path) -> Locking:
    for name in ("a", "b", "c", "ipykernel", "jupyterlab", "jupyter-server-proxy", "tensorboard"):
        index_server.add(make_wheel(name, "1.0"))
    index_server.add(make_wheel("pip", "26.0"))
    return start_locking(project, tmp_path / "labbox", environment)


def _change(locking: Locking, *names: str, remove: bool = False, system: bool = False) -> PackagesChanged:
    change = PackageChange(project=str(locking.folder), packages=names, remove=remove, system=system)
    return change_packages(locking.engine, change, locking.environment)


def _text(locking: Locking, name: str) -> str:
    return (locking.folder / name).read_text()


def test_a_package_is_added_to_labbox_toml_and_locked(locking: Locking) -> None:
    done = _change(locking, "b>=1", "C")
    assert done.files == ("labbox.toml",)
    assert _text(locking, "labbox.toml") == LABBOX_FILE.replace('["a"]', '["a", "b>=1", "C"]')
    assert locking.versions() == {"a": "1.0", "b": "1.0", "c": "1.0"}


def test_a_package_is_removed_from_labbox_toml_and_from_the_lock(locking: Locking) -> None:
    _change(locking, "b")
    _change(locking, "a", remove=True)
    assert _text(locking, "labbox.toml") == LABBOX_FILE.replace('["a"]', '["b"]')
    assert locking.versions() == {"b": "1.0"}


def test_when_it_cannot_be_had_the_definition_is_as_before(locking: Locking) -> None:
    with pytest.raises(ResolutionError):
        _change(locking, "nosuch")
    assert _text(locking, "labbox.toml") == LABBOX_FILE


@pytest.mark.parametrize("name", ["b==", "../b", "", "b c"])
def test_what_is_no_requirement_is_refused_before_anything_is_changed(locking: Locking, name: str) -> None:
    with pytest.raises(UsageError, match="is no requirement"):
        _change(locking, "b", name)
    assert _text(locking, "labbox.toml") == LABBOX_FILE


def test_a_package_that_does_not_stand_in_the_definition_cannot_be_removed(locking: Locking) -> None:
    with pytest.raises(NotFoundError, match=r"`b` does not stand in `labbox\.toml`"):
        _change(locking, "b", remove=True)


def test_a_folder_without_a_definition_gets_a_labbox_toml(locking: Locking) -> None:
    (locking.folder / "labbox.toml").unlink()
    assert _change(locking, "b").files == ("labbox.toml",)
    assert _text(locking, "labbox.toml") == '[packages]\npython = ["b"]\n'


def test_a_file_that_was_made_goes_when_its_package_cannot_be_had(locking: Locking) -> None:
    (locking.folder / "labbox.toml").unlink()
    with pytest.raises(LabboxError):
        _change(locking, "nosuch")
    assert not (locking.folder / "labbox.toml").exists()


def test_requirements_txt_is_changed_where_it_is_the_definition(locking: Locking) -> None:
    (locking.folder / "labbox.toml").unlink()
    locking.write("requirements.txt", "# ours\na\n")
    assert _change(locking, "b").files == ("requirements.txt",)
    assert _text(locking, "requirements.txt") == "# ours\na\nb\n"
    _change(locking, "a", remove=True)
    assert _text(locking, "requirements.txt") == "# ours\nb\n"


def test_a_labbox_table_of_pyproject_without_a_project_is_changed(locking: Locking) -> None:
    (locking.folder / "labbox.toml").unlink()
    locking.write("pyproject.toml", f'[tool.labbox.packages]\npython = ["a"]\nproject = false\n{_NO_SERVICES}')
    _change(locking, "b")
    assert 'python = ["a", "b"]\n' in _text(locking, "pyproject.toml")


def test_a_project_is_changed_by_uv(locking: Locking) -> None:
    (locking.folder / "labbox.toml").unlink()
    locking.write(
        "pyproject.toml",
        '[project]\nname = "demo"\nversion = "1"  # so far\n'
        f'requires-python = ">=3.11"\ndependencies = ["a"]\n{_NO_SERVICES}',
    )
    _change(locking, "b>=1")
    text = _text(locking, "pyproject.toml")
    assert '"b>=1"' in text
    assert "# so far" in text
    assert locking.versions() == {"a": "1.0", "b": "1.0"}
    _change(locking, "a", remove=True)
    assert locking.versions() == {"b": "1.0"}
    with pytest.raises(LabboxError):
        _change(locking, "nosuch")
    assert _text(locking, "pyproject.toml").count("nosuch") == 0


def test_system_packages_without_a_definition_of_labbox_stand_in_apt_txt(locking: Locking) -> None:
    (locking.folder / "labbox.toml").unlink()
    locking.write("requirements.txt", "a\n")
    assert _change(locking, "sudo", system=True).files == ("apt.txt",)
    assert _text(locking, "apt.txt") == "sudo\n"
    with pytest.raises(NotFoundError, match=r"`jq` does not stand in `apt\.txt`"):
        _change(locking, "jq", remove=True, system=True)


def test_a_file_that_labbox_does_not_write_is_left_alone(locking: Locking) -> None:
    (locking.folder / "labbox.toml").unlink()
    locking.write("environment.yml", "name: x\ndependencies:\n- python=3.13\n- a\n")
    with pytest.raises(UsageError, match=r"labbox does not change `environment\.yml`"):
        _change(locking, "b")
