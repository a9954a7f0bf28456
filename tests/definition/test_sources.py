"""Which files define a lab, and what is said about those that do not."""

import pytest

from labbox.definition.sources import Files, define
from labbox.definition.values import Definition
from labbox.errors import UsageError


def lab(**texts: str) -> Definition:
    return define_files({name.replace("_", ".", 1): text for name, text in texts.items()})


def define_files(texts: dict[str, str]) -> Definition:
    return define(Files(folder_name="folder", texts=texts, present=frozenset(texts)))


def test_an_empty_folder_is_a_plain_lab() -> None:
    definition = define_files({})

    assert (definition.name, definition.system, definition.sources) == ("folder", "debian:13", ())
    assert definition.services.jupyter
    assert definition.notes == (
        "No file here defines a lab, so it is a plain one; `labbox init` writes a labbox.toml.",
    )


def test_labbox_toml_stands_above_all_others_and_these_are_named() -> None:
    definition = lab(
        labbox_toml="[lab]",
        requirements_txt="numpy",
        pyproject_toml='[project]\nname = "x"\ndependencies = ["six"]',
        apt_txt="git",
        Dockerfile="FROM x",
    )

    assert definition.sources == ("labbox.toml",)
    assert definition.python.files == ()
    assert set(definition.notes) == {
        f"`{name}` is ignored: `labbox.toml` defines the lab, and does not name it."
        for name in ("requirements.txt", "pyproject.toml", "apt.txt", "Dockerfile")
    }


def test_what_labbox_toml_names_is_not_ignored() -> None:
    definition = lab(
        labbox_toml='lab.system = "./Dockerfile"\n[packages]\nrequirements = ["requirements.txt"]\nproject = true',
        requirements_txt="numpy",
        pyproject_toml='[project]\nname = "x"\ndependencies = ["six"]',
        uv_lock="",
        Dockerfile="",
    )

    assert definition.sources == ("labbox.toml", "pyproject.toml", "uv.lock", "requirements.txt", "Dockerfile")
    assert definition.notes == ()


def test_a_pyproject_that_says_nothing_of_packages_is_not_mentioned() -> None:
    definition = lab(requirements_txt="numpy", pyproject_toml="[tool.black]\nline-length = 120")

    assert (definition.sources, definition.notes) == (("requirements.txt",), ())


def test_tool_labbox_in_pyproject_comes_with_the_projects_own_packages() -> None:
    text = '[project]\nname = "x"\n[tool.labbox]\npackages.python = ["numpy"]'
    definition = lab(pyproject_toml=text, uv_lock="")

    assert (definition.python.packages, definition.python.project) == (("numpy",), True)
    assert definition.sources == ("pyproject.toml", "uv.lock")
    assert not lab(pyproject_toml=f"{text}\npackages.project = false").python.project


def test_faults_in_tool_labbox_have_their_whole_path() -> None:
    with pytest.raises(UsageError, match=r"tool\.labbox\.lab\.memory: .*`tool\.labbox\.container\.memory`"):
        lab(pyproject_toml='[tool.labbox.lab]\nmemory = "8g"')


@pytest.mark.parametrize(
    ("texts", "chosen"),
    [
        ({"uv.lock", "pyproject.toml", "requirements.txt", "environment.yml"}, "uv.lock"),
        ({"pyproject.toml", "requirements.txt", "environment.yml"}, "environment.yml"),
        ({"pyproject.toml", "requirements.txt"}, "requirements.txt"),
        ({"pyproject.toml", "Dockerfile"}, "pyproject.toml"),
        ({"Dockerfile", "Containerfile"}, "Dockerfile"),
    ],
)
def test_one_file_lists_the_python_packages(texts: set[str], chosen: str) -> None:
    contents = dict.fromkeys(texts, "")
    if "pyproject.toml" in texts:
        contents["pyproject.toml"] = '[project]\nname = "x"\ndependencies = ["six"]'
    definition = define_files(contents)

    assert definition.sources[0] == chosen
    assert all(chosen in note for note in definition.notes)
    assert len(definition.sources) + len(definition.notes) == len(texts)


def test_apt_txt_and_runtime_txt_go_together_with_requirements_txt() -> None:
    definition = lab(requirements_txt="numpy", apt_txt="git  graphviz # for pictures\n\n", runtime_txt="python-3.11\n")

    assert definition.sources == ("requirements.txt", "runtime.txt", "apt.txt")
    assert definition.system_packages == ("git", "graphviz")
    assert (definition.python.version, definition.system) == ("3.11", "debian:12")
    assert definition.notes == ("The system is debian:12, because `runtime.txt` asks for Python 3.11.",)


def test_another_language_in_runtime_txt_is_not_understood() -> None:
    assert lab(runtime_txt="r-3.6-2020-01-01").notes == (
        (
            "`runtime.txt` is not understood: it says `r-3.6-2020-01-01`, and labbox knows only `python-3.13` "
            "and the like."
        ),
    )


def test_faults_of_apt_txt_have_their_lines() -> None:
    with pytest.raises(UsageError, match=r"(?s)`apt.txt` has 2 faults:\n  line 1: .*\"Git\"\n  line 2: .*\"-y\""):
        lab(apt_txt="Git\n-y")


def test_a_dockerfile_alone_is_the_system() -> None:
    assert lab(Containerfile="").system == "./Containerfile"


def test_files_of_other_tools_are_named_when_nothing_else_says_it() -> None:
    assert lab(Pipfile="").notes[-1].startswith("`Pipfile` is not understood: labbox reads uv.lock,")
    assert lab(Pipfile="", requirements_txt="").notes == ()


def test_a_lock_without_its_project_is_ignored() -> None:
    assert "`uv.lock` is ignored: there is no pyproject.toml beside it." in lab(uv_lock="").notes
