"""Every folder in examples/, made and used as its reader would: in a browser, in a notebook, on the command line.

Each lab is made once, as root; the two of TensorFlow run side by side.
"""

import json
import os
import re
import shlex
import shutil
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from harness.browser import Browser, missing_for_browser
from harness.jupyter import Jupyter, code_cells, with_answers
from harness.laboratory import Lab
from harness.project import Project, fetch, service
from harness.waiting import wait_until
from harness.workplace import Workplace
from labs.conftest import lab_environment

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PINNED = "metrics-pinned-view"
PIN_CARDS = """
for (const name of ["accuracy", "Weights"])
  [...document.querySelectorAll("card-view")]
    .find((card) => card.innerText.trim().startsWith(name))
    .querySelector('button[title="Pin card"]').click();
"""
SUM = "[[ 6  8]\n [10 12]]"
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def house(workplace: Workplace, laboratories: dict[str, Lab]) -> Iterator[Lab]:
    """The person who tries the examples: root, who shares the Debian systems of the other tests."""
    if "root" not in laboratories:
        try:
            laboratories["root"] = workplace.make_lab("root")
        except LookupError as error:
            pytest.skip(str(error))
    lab = laboratories["root"]
    before = dict(lab.environment)
    lab.environment |= lab_environment(lab, workplace)
    shutil.copytree(f"{ROOT}/examples", f"{lab.folder('examples')}", dirs_exist_ok=True)
    yield lab
    lab.environment = before
    lab.clear()


@contextmanager
def running(house: Lab, name: str, *words: str, **environment: str) -> Iterator[tuple[Project, dict[str, Any]]]:
    """An example's lab, up."""
    project = Project(house, f"examples/{name}", definition="")
    yield project, project.up(*words, timeout=280, environment=environment)
    project.output("down")


@pytest.fixture(scope="module")
def tensorflow(house: Lab) -> Iterator[tuple[Project, dict[str, Any]]]:
    """Made by README's main command line, in a folder that has `examples`."""
    words = shlex.split(_main_command())
    started = house(*words[1:], cwd=house.folder(""), timeout=280)
    assert started.returncode == 0, started.stderr
    assert re.search(r"JupyterLab +http://127\.0\.0\.1:\d+/lab\?token=", started.stdout)
    with running(house, "tensorflow") as (project, document):
        assert document["change"] == "none"
        yield project, document


@pytest.fixture(scope="module")
def tensorflow_2016(house: Lab, tensorflow: object) -> Iterator[tuple[Project, dict[str, Any]]]:
    """Beside the other."""
    with running(house, "tensorflow-2016") as made:
        yield made


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where pictures of pages go: those of README are made anew with LABBOX_PICTURES=docs/pictures."""
    return os.environ.get("LABBOX_PICTURES") or str(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests of this file."""
    if missing_for_browser():
        pytest.skip(missing_for_browser())
    with Browser() as browser:
        yield browser


def test_tensorflow_adds_the_constants(tensorflow: tuple[Project, dict[str, Any]]) -> None:
    project, _ = tensorflow
    assert SUM in project.output("exec", "python", "add_constants.py")


def test_tensorflow_draws_a_curve_that_the_user_owns(tensorflow: tuple[Project, dict[str, Any]]) -> None:
    project, _ = tensorflow
    project.output("exec", "python", "plot_sine.py")
    with open(f"{project.folder}/sine.png", "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"


def test_tensorflow_learns_and_tensorboard_shows_it(
    tensorflow: tuple[Project, dict[str, Any]], browser: Browser, pictures: str
) -> None:
    project, document = tensorflow
    said = project.output("exec", "python", "train_digits.py")
    assert float(said.splitlines()[-1].split()[-1]) > 0.9
    address = service(document, "tensorboard")["url"]

    (run,) = os.listdir(f"{project.folder}/logs")
    points = _wait_for_scalars(address, run, "accuracy", 100)

    assert points[-1][2] > 0.9
    assert set(_tensorboard(address, "histograms/tags")[run]) == {"Weights", "bias", "outputs"}
    assert len(_tensorboard(address, "histograms/histograms", run=run, tag="Weights")) > 10
    graph = fetch(f"{address}data/plugin/graphs/graph?{urllib.parse.urlencode({'run': run})}")
    assert "cross_entropy" in graph
    browser.open(f"{address}#timeseries")
    browser.wait_for_text("cross entropy")
    browser.wait_for("document.querySelectorAll('scalar-card canvas, histogram-card svg path').length > 2")
    browser.evaluate("document.querySelector('.settings-button').click()")
    browser.evaluate(PIN_CARDS)
    browser.wait_for(f"document.querySelectorAll('{PINNED} histogram-card svg path').length > 2")
    browser.wait_for(f"document.querySelectorAll('{PINNED} scalar-card canvas').length > 0")
    browser.take_picture(f"{pictures}/tensorboard.png")


def test_the_notebook_of_tensorflow_runs_and_is_seen_in_a_browser(
    tensorflow: tuple[Project, dict[str, Any]], browser: Browser, pictures: str
) -> None:
    _, document = tensorflow
    link = service(document, "jupyter")["url"]
    jupyter = Jupyter(link)
    notebook = jupyter.ask("contents/first_steps.ipynb")["content"]

    with jupyter.kernel() as kernel:
        answers = [kernel.run(cell) for cell in code_cells(notebook)]
        (frame,) = answers[-1].of_type("text/html")
        address = re.search(r'"(/proxy/\d+/)"', frame)
        assert address, frame
        assert "<title>TensorBoard" in jupyter.fetch(address[1])

    assert SUM in answers[0].text
    assert answers[1].of_type("image/png")
    assert "Accuracy rate at step 990" in answers[3].text
    content = {"type": "notebook", "format": "json", "content": with_answers(notebook, answers)}
    jupyter.ask("contents/first_steps.ipynb", "PUT", content)
    browser.open(link.replace("/lab?", "/lab/tree/first_steps.ipynb?"))
    browser.wait_for_text("The sum of two constants")
    browser.wait_for_text("Python 3.13")
    browser.wait_for("document.querySelectorAll('.jp-OutputArea-output img').length > 0")
    browser.evaluate("document.querySelector('.jp-OutputArea-output img').scrollIntoView({block: 'center'})")
    browser.wait_for("document.querySelector('.jp-OutputArea-output img').complete")
    browser.take_picture(f"{pictures}/jupyterlab.png")


def test_jupyter_refuses_who_has_no_token(tensorflow: tuple[Project, dict[str, Any]]) -> None:
    _, document = tensorflow
    jupyter = Jupyter(service(document, "jupyter")["url"])
    jupyter.token = "guessed"
    with pytest.raises(OSError, match="403"):
        jupyter.ask("contents")


def test_the_programs_of_2016_give_what_they_gave(tensorflow_2016: tuple[Project, dict[str, Any]]) -> None:
    project, _ = tensorflow_2016
    assert f"c = a + b = \n{SUM}" in project.output("exec", "python", "test.py")
    assert project.output("exec", "python", "-c", "import tensorflow; print tensorflow.__version__") == "0.12.1"
    project.output("exec", "python", "plot_test.py")


def test_jupyter_speaks_python_2_in_the_lab_of_2016(tensorflow_2016: tuple[Project, dict[str, Any]]) -> None:
    _, document = tensorflow_2016
    with Jupyter(service(document, "jupyter")["url"]).kernel() as kernel:
        assert kernel.run("import sys; print sys.version_info[:2]").text == "(2, 7)\n"


def test_tensorboard_shows_the_training_of_2016(
    tensorflow_2016: tuple[Project, dict[str, Any]], browser: Browser
) -> None:
    project, document = tensorflow_2016
    said = project.output("exec", "python", "tensorboard_test.py")
    assert float(said.splitlines()[-1].split()[-1]) > 0.8
    address = service(document, "tensorboard")["url"]

    (run,) = wait_until(lambda: json.loads(fetch(f"{address}data/runs")), timeout_seconds=60, what="a run is seen")
    (tag,) = wait_until(
        lambda: [tag for tag in _tensorboard(address, "scalars/tags").get(run, ()) if "accuracy" in tag],
        what="the accuracy is seen",
    )
    assert _wait_for_scalars(address, run, tag, 100)[-1][2] > 0.8
    assert len(_tensorboard(address, "histograms/tags")[run]) == 3
    browser.open(f"{address}#timeseries")
    browser.wait_for_text("accuracy")


def test_the_two_labs_run_side_by_side(
    tensorflow: tuple[Project, dict[str, Any]], tensorflow_2016: tuple[Project, dict[str, Any]]
) -> None:
    (new, _), (old, _) = tensorflow, tensorflow_2016
    links = {entry["url"] for lab in (new, old) for entry in lab.status()["services"]}
    assert len(links) == 4
    assert [service(lab.status(), "jupyter")["state"] for lab in (new, old)] == ["ready", "ready"]


def test_requirements_and_apt_are_enough(house: Lab) -> None:
    with running(house, "requirements") as (_, document):
        assert document["definition"] == ["requirements.txt", "apt.txt"]
        jupyter = Jupyter(service(document, "jupyter")["url"])
        cells = code_cells(jupyter.ask("contents/plot.ipynb")["content"])
        with jupyter.kernel() as kernel:
            answers = [kernel.run(cell) for cell in cells]
        assert answers[0].of_type("image/png")
        assert "definition" in answers[1].of_type("image/svg+xml")[0]


def test_pytorch_learns(house: Lab) -> None:
    places = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS")
    if not places:
        pytest.skip("no torch without CUDA is at hand: UV_FIND_LINKS and PIP_FIND_LINKS name no folder of wheels")
    with running(house, "pytorch", UV_FIND_LINKS=",".join(places.split())) as (project, _):
        said = project.output("exec", "python", "train_digits.py")
        assert float(re.findall(r"\d\.\d+", said)[-1]) > 0.8


def _main_command() -> str:
    """The line of README.md that brings the example up, without what stands before `labbox`."""
    with open(f"{ROOT}/README.md", encoding="utf-8") as file:
        found = re.search(r"labbox up examples/tensorflow\b[^-\n`]*", file.read())
    return found[0] if found else "labbox up examples/tensorflow"


def _wait_for_scalars(address: str, run: str, tag: str, number: int) -> Any:
    """The points (time, step, value) of a curve, once there are so many: TensorBoard reads its files now and then."""

    def read() -> Any:
        if tag not in _tensorboard(address, "scalars/tags").get(run, ()):
            return None
        points = _tensorboard(address, "scalars/scalars", run=run, tag=tag)
        return points if len(points) >= number else None

    return wait_until(read, timeout_seconds=60, what=f"{number} points of {tag} are seen")


def _tensorboard(address: str, path: str, **query: str) -> Any:
    """What TensorBoard's own pages are given."""
    return json.loads(fetch(f"{address}data/plugin/{path}?{urllib.parse.urlencode(query)}"))
