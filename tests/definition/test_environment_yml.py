"""environment.yml becomes packages of PyPI and of Debian; the rest is named."""

import pytest

from labbox.definition.environment_yml import read_environment_yml
from labbox.definition.values import Definition
from labbox.errors import UsageError


def read(text: str) -> Definition:
    return read_environment_yml(text, Definition(name="folder"), "environment.yml")


def test_an_environment_is_read() -> None:
    definition = read("""
name: My Env
channels: [conda-forge]
dependencies:
  - python=3.11
  - numpy=1.26
  - conda-forge::pytorch >=2,<3
  - cudatoolkit=11.8
  - graphviz
  - pip
  - pip:
    - tensorflow==2.21.*  # the newest
    - -r requirements.txt
    - --extra-index-url https://example.org/simple
    - -e .
variables:
  THREADS: 4
""")

    assert definition.name == "my-env"
    assert definition.python.version == "3.11"
    assert definition.python.packages == ("numpy==1.26.*", "torch>=2,<3", "tensorflow==2.21.*")
    assert definition.python.files == ("requirements.txt",)
    assert definition.python.indexes == ("https://example.org/simple",)
    assert definition.system_packages == ("graphviz",)
    assert definition.container.environment == (("THREADS", "4"),)
    assert definition.notes == (
        "The packages of `environment.yml` come from PyPI, not from conda's channels.",
        "In `environment.yml` these are not understood: `cudatoolkit=11.8`, `-e .`.",
    )


@pytest.mark.parametrize(
    ("match", "requirement"),
    [
        ("numpy", "numpy"),
        ("numpy=1.26", "numpy==1.26.*"),
        ("numpy==1.26.4", "numpy==1.26.4"),
        ("numpy=1.26.4=py311h64a7726_0", "numpy==1.26.4"),
        ("numpy 1.26.*", "numpy==1.26.*"),
        ("numpy=1.26.*", "numpy==1.26.*"),
        ("numpy>=1.20,<2", "numpy>=1.20,<2"),
        ("numpy[version='>=2']", "numpy>=2"),
        ("opencv", "opencv-python"),
        ("defaults::scipy", "scipy"),
    ],
)
def test_condas_way_to_write_a_version_becomes_pythons(match: str, requirement: str) -> None:
    assert read(f'dependencies: ["{match}"]').python.packages == (requirement,)


@pytest.mark.parametrize("match", ["r-base", "libgcc-ng", "cudatoolkit", "gcc_linux-64", "numpy 1.1|1.2", "python=x"])
def test_what_only_conda_has_is_named(match: str) -> None:
    definition = read(f'dependencies: ["{match}"]')

    assert definition.python.packages == ()
    assert f"`{match}`" in definition.notes[-1]


@pytest.mark.parametrize("text", ["dependencies: [", "- a", "dependencies: 5", "a: !!python/object:os.system x"])
def test_a_broken_file_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"environment\.yml"):
        read(text)


def test_an_empty_file_is_an_empty_environment() -> None:
    assert read("") == Definition(name="folder")
