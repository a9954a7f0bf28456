"""Which of a folder's files define the lab: one table of precedence, and what is said about the rest."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from labbox.definition.devcontainer import read_devcontainer
from labbox.definition.environment_yml import read_environment_yml
from labbox.definition.labbox_file import parse_toml, read_labbox_table
from labbox.definition.names import make_lab_name
from labbox.definition.small_files import read_apt_txt, read_runtime_txt
from labbox.definition.systems import system_with_python
from labbox.definition.values import Definition
from labbox.errors import UsageError

# Aspects of a lab, each of which one file decides.
SYSTEM = "the system"
PYTHON = "the version of Python"
PACKAGES = "the Python packages"
SYSTEM_PACKAGES = "the system packages"
CONTAINER = "the container"
EVERYTHING = frozenset({SYSTEM, PYTHON, PACKAGES, SYSTEM_PACKAGES, CONTAINER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What lies in a project folder: texts by path, and the paths of all files that matter by being there."""

    folder_name: str
    texts: Mapping[str, str]
    present: frozenset[str]


# The definition with what a file adds, or None when the file says nothing about a lab.
Reader = Callable[[Files, Definition], Definition | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that may define a lab: it is used when none of what it decides has been decided above it."""

    file_name: str
    decides: frozenset[str]
    read: Reader


def _read_labbox_toml(files: Files, _: Definition) -> Definition | None:
    document = parse_toml(files.texts["labbox.toml"], "labbox.toml")
    return read_labbox_table(document, file_name="labbox.toml", default_name=files.folder_name)


def _read_tool_labbox(files: Files, _: Definition) -> Definition | None:
    document = parse_toml(files.texts["pyproject.toml"], "pyproject.toml")
    tools = document.get("tool")
    if not isinstance(tools, dict) or "labbox" not in tools:
        return None
    return read_labbox_table(
        tools["labbox"],
        file_name="pyproject.toml",
        path="tool.labbox",
        default_name=files.folder_name,
        has_project="project" in document,
    )


def _read_uv_lock(files: Files, draft: Definition) -> Definition | None:
    return _with_project(draft) if "pyproject.toml" in files.present else None


def _read_project(files: Files, draft: Definition) -> Definition | None:
    project = parse_toml(files.texts["pyproject.toml"], "pyproject.toml").get("project")
    if not isinstance(project, dict):
        return None
    dynamic = project.get("dynamic")
    is_dynamic = isinstance(dynamic, list) and "dependencies" in dynamic
    if not project.get("dependencies") and not is_dynamic:
        return None
    return _with_project(draft)


def _with_project(draft: Definition) -> Definition:
    return replace(draft, python=replace(draft.python, project=True))


def _read_requirements(_: Files, draft: Definition) -> Definition | None:
    return replace(draft, python=replace(draft.python, files=(*draft.python.files, "requirements.txt")))


def _text_reader(read: Callable[[str, Definition, str], Definition], file_name: str) -> Reader:
    return lambda files, draft: read(files.texts[file_name], draft, file_name)


def _dockerfile_reader(file_name: str) -> Reader:
    return lambda _, draft: replace(draft, system=f"./{file_name}")


def _of_text(file_name: str, read: Callable[[str, Definition, str], Definition], *decides: str) -> Source:
    return Source(file_name=file_name, decides=frozenset(decides), read=_text_reader(read, file_name))


# From the strongest to the weakest. As with repo2docker, apt.txt and runtime.txt go together with the files that list
# Python packages, and environment.yml is stronger than requirements.txt, which it often includes. A Dockerfile is
# used when nothing else lists Python packages: then it is the environment; beside a list it mostly is the deployment.
PRECEDENCE = (
    Source(file_name="labbox.toml", decides=EVERYTHING, read=_read_labbox_toml),
    Source(file_name="pyproject.toml", decides=EVERYTHING, read=_read_tool_labbox),
    _of_text(".devcontainer/devcontainer.json", read_devcontainer, SYSTEM, CONTAINER),
    _of_text(".devcontainer.json", read_devcontainer, SYSTEM, CONTAINER),
    Source(file_name="uv.lock", decides=frozenset({PACKAGES}), read=_read_uv_lock),
    _of_text("environment.yml", read_environment_yml, PACKAGES),
    _of_text("environment.yaml", read_environment_yml, PACKAGES),
    Source(file_name="requirements.txt", decides=frozenset({PACKAGES}), read=_read_requirements),
    Source(file_name="pyproject.toml", decides=frozenset({PACKAGES}), read=_read_project),
    Source(file_name="Dockerfile", decides=frozenset({SYSTEM, PACKAGES}), read=_dockerfile_reader("Dockerfile")),
    Source(file_name="Containerfile", decides=frozenset({SYSTEM, PACKAGES}), read=_dockerfile_reader("Containerfile")),
    _of_text("runtime.txt", read_runtime_txt, PYTHON),
    _of_text("apt.txt", read_apt_txt, SYSTEM_PACKAGES),
)  # fmt: skip

# Files of other tools that say what an environment is in ways that labbox does not read, and the aspect they concern.
NOT_READ = {
    ".python-version": PYTHON,
    "Pipfile": PACKAGES,
    "conda-lock.yml": PACKAGES,
    "install.R": CONTAINER,
    "pdm.lock": PACKAGES,
    "pixi.toml": PACKAGES,
    "poetry.lock": PACKAGES,
    "postBuild": CONTAINER,
    "setup.py": PACKAGES,
}

_READABLE = {
    PYTHON: "runtime.txt, or `python` in labbox.toml",
    PACKAGES: "uv.lock, environment.yml, requirements.txt and pyproject.toml",
    CONTAINER: "labbox.toml and devcontainer.json",
}

# What `define` wants to know of a folder.
READ_FILES = tuple(
    dict.fromkeys(
        source.file_name
        for source in PRECEDENCE
        if source.file_name not in ("uv.lock", "requirements.txt", "Dockerfile", "Containerfile")
    )
)
NOTICED_FILES = tuple(dict.fromkeys((*(source.file_name for source in PRECEDENCE), *NOT_READ)))


def define(files: Files) -> Definition:
    """The lab that a folder's files define; an empty folder makes a plain one. Raises UsageError with all faults."""
    draft = Definition(name=make_lab_name(files.folder_name))
    decided: dict[str, str] = {}
    used: list[str] = []
    for source in PRECEDENCE:
        is_free = source.file_name not in used and decided.keys().isdisjoint(source.decides)
        if source.file_name not in files.present or not is_free:
            continue
        read = source.read(files, draft)
        if read is None:
            continue
        draft = replace(read, sources=())
        used.append(source.file_name)
        decided |= dict.fromkeys(source.decides, source.file_name)
        if draft.python.version is not None:
            decided.setdefault(PYTHON, source.file_name)
    if SYSTEM not in decided and PYTHON in decided:
        system, note = system_with_python(draft.python.version, decided[PYTHON])
        draft = replace(draft, system=system, notes=(*draft.notes, note) if note else draft.notes)
    draft = replace(draft, sources=tuple(dict.fromkeys((*used, *_files_it_names(draft, files)))))
    return replace(draft, notes=(*draft.notes, *_notes_on_the_rest(draft, files, decided)))


def _files_it_names(definition: Definition, files: Files) -> Iterator[str]:
    if definition.python.project:
        yield "pyproject.toml"
        if "uv.lock" in files.present:
            yield "uv.lock"
    yield from definition.python.files
    if definition.system.startswith("./"):
        yield definition.system.removeprefix("./")


def _notes_on_the_rest(definition: Definition, files: Files, decided: Mapping[str, str]) -> Iterator[str]:
    """A sentence for every file that might be expected to say something, and does not."""
    if not definition.sources:
        yield "No file here defines a lab, so it is a plain one; `labbox init` writes a labbox.toml."
    rest = [source for source in PRECEDENCE if source.file_name in files.present]
    rest = [source for source in rest if source.file_name not in definition.sources and _says_something(source, files)]
    for source in {source.file_name: source for source in rest}.values():
        rival = next((decided[aspect] for aspect in sorted(source.decides) if aspect in decided), None)
        if rival is not None:
            yield f"`{source.file_name}` is ignored: `{rival}` {_reason(source, rival, decided)}."
        elif source.file_name == "uv.lock":
            yield "`uv.lock` is ignored: there is no pyproject.toml beside it."
    for name, aspect in NOT_READ.items():
        if name in files.present and aspect not in decided:
            yield f"`{name}` is not understood: labbox reads {_READABLE[aspect]}."


def _reason(source: Source, rival: str, decided: Mapping[str, str]) -> str:
    if decided.keys() >= EVERYTHING:
        return "defines the lab, and does not name it"
    return "decides " + next(aspect for aspect in sorted(source.decides) if decided.get(aspect) == rival)


def _says_something(source: Source, files: Files) -> bool:
    """Whether a file says anything about a lab: most of pyproject.toml's tables do not."""
    if source.file_name != "pyproject.toml":
        return True
    try:
        return source.read(files, Definition(name="")) is not None
    except UsageError:
        return False
