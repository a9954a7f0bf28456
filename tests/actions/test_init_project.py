"""`labbox init` writes projects that labbox reads."""

import ast
import gzip
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from labbox.actions.init_project import init_project
from labbox.actions.read_definition import read_definition
from labbox.cli.main import main
from labbox.definition.templates import TEMPLATES
from labbox.errors import ConflictError, NotFoundError, UsageError

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("template", [None, *TEMPLATES])
def test_what_init_writes_is_read_without_a_note(tmp_path: Path, template: str | None) -> None:
    folder = tmp_path / "new" / "lab"
    project = init_project(str(folder), template=template)

    assert sorted(project.files) == sorted(os.listdir(folder))
    definition = read_definition(str(folder))
    assert (definition.name, definition.sources, definition.notes) == ("lab", ("labbox.toml",), ())


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_is_the_example_of_the_same_name(tmp_path: Path, template: str) -> None:
    init_project(str(tmp_path), template=template)
    known = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", template],
        check=False, capture_output=True, text=True, cwd=EXAMPLES,
    )  # fmt: skip
    if known.returncode:
        pytest.skip("this is no checkout of git")

    files = {os.path.basename(line) for line in known.stdout.splitlines()} - {"labbox.lock"}
    assert files == set(os.listdir(tmp_path))
    assert all((tmp_path / name).read_bytes() == (EXAMPLES / template / name).read_bytes() for name in files)


def test_files_that_are_there_are_not_overwritten_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "plot_sine.py").write_text("mine")
    with pytest.raises(ConflictError, match=r"already in `.*`: `plot_sine.py`$"):
        init_project(str(tmp_path), template="tensorflow")
    assert os.listdir(tmp_path) == ["plot_sine.py"]

    init_project(str(tmp_path), template="tensorflow", force=True)
    assert "sine" in (tmp_path / "plot_sine.py").read_text()


def test_an_unknown_template_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        init_project(str(tmp_path), template="keras")
    assert caught.value.hint == "the templates are tensorflow, pytorch, jax, opencv, tensorflow-2016"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is not a folder"):
        init_project(str(tmp_path / "file"))


def test_the_command_tells_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "-t", "jax", f"{tmp_path}/lab"]) == 0

    out, err = capsys.readouterr()
    assert out.splitlines() == [f"{tmp_path}/lab/labbox.toml", f"{tmp_path}/lab/train_digits.py"]
    assert err == f"next: labbox up {tmp_path}/lab\n"

    assert main(["init", "--json", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out) == {"folder": str(tmp_path), "files": ["labbox.toml"]}


def test_the_2016_digits_are_files_as_the_mnist_reader_wants_them(tmp_path: Path) -> None:
    subprocess.run([sys.executable, EXAMPLES / "tensorflow-2016" / "make_data.py", tmp_path], check=True)

    for name, count in (("train", 7500), ("t10k", 297)):
        images = gzip.decompress((tmp_path / f"{name}-images-idx3-ubyte.gz").read_bytes())
        labels = gzip.decompress((tmp_path / f"{name}-labels-idx1-ubyte.gz").read_bytes())
        assert struct.unpack(">4I", images[:16]) == (0x803, count, 28, 28)
        assert struct.unpack(">2I", labels[:8]) == (0x801, count)
        assert (len(images), len(labels)) == (16 + count * 784, 8 + count)
        assert set(labels[8:]) == set(range(10))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*.ipynb")), ids=lambda path: path.parent.name)
def test_a_notebook_is_whole_and_clean(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))

    assert (notebook["nbformat"], notebook["metadata"]["kernelspec"]["name"]) == (4, "python3")
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
            lines = [line for line in "".join(cell["source"]).splitlines() if not line.startswith("%")]
            ast.parse("\n".join(lines))


def test_a_folder_without_labbox_toml_is_a_lab_too() -> None:
    definition = read_definition(str(EXAMPLES / "requirements"))

    assert definition.sources == ("requirements.txt", "apt.txt")
    assert definition.system_packages == ("graphviz",)
