"""environment.yml, as far as PyPI and Debian have what it names.

The format: https://docs.conda.io/projects/conda/en/latest/user-guide/tasks/manage-environments.html
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from labbox.definition.faults import show
from labbox.definition.names import make_lab_name
from labbox.definition.notation import parse_inner_path, parse_requirement
from labbox.definition.values import Definition
from labbox.errors import UsageError

# conda-forge's names of what PyPI calls otherwise
_NAMES_ON_PYPI = {
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "opencv": "opencv-python",
    "py-opencv": "opencv-python",
    "matplotlib-base": "matplotlib",
    "msgpack-python": "msgpack",
    "pytables": "tables",
    "tensorflow-base": "tensorflow",
    "python-graphviz": "graphviz",
    "faiss": "faiss-cpu",
}
# programs that Debian has under the same name
_NAMES_IN_DEBIAN = frozenset({
    "cmake", "curl", "ffmpeg", "git", "git-lfs", "graphviz", "imagemagick", "make", "ninja-build", "nodejs", "pandoc",
    "swig", "tmux", "unzip", "wget", "zip",
})  # fmt: skip
# what conda needs for itself, and what every lab has
_NOT_NEEDED = frozenset({"pip", "setuptools", "wheel", "ca-certificates", "certifi-system", "nomkl", "conda"})
_CONDA_ONLY = re.compile(
    r"^(_.*|r-.*|lib.*|cuda.*|cudnn|nccl|cudatoolkit|pytorch-cuda|pytorch-mutex|mkl|blas|openblas|compilers|"
    r"(c|cxx|fortran)-compiler|gcc.*|gxx.*|gfortran.*|binutils.*|sysroot.*|ld_impl.*|openssl|zlib|xz|readline|sqlite|tk|"
    r"ncurses|bzip2|mamba|r|julia|openjdk|qt|pyqt-impl)$"
)
_MATCH = re.compile(
    r"^(?:[^\s:]+::)?(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)\s*(?P<version>[^\[]*)(?:\[(?P<options>.*)\])?$"
)
_VERSION_OPTION = re.compile(r"version\s*=\s*['\"]?(?P<version>[^'\"]*)")
_VARIABLE = re.compile(r"^[^=\0]+$")
_KNOWN_KEYS = frozenset({"name", "channels", "dependencies", "variables", "prefix", "platforms"})


@dataclass(slots=True)
class _Reading:
    """What has been read so far."""

    file_name: str
    version: str | None = None
    packages: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    find_links: list[str] = field(default_factory=list)
    system: list[str] = field(default_factory=list)
    misunderstood: list[str] = field(default_factory=list)
    is_from_channels: bool = False


def read_environment_yml(text: str, draft: Definition, file_name: str) -> Definition:
    """The definition with what environment.yml asks for; notes name what has no counterpart."""
    document = _load(text, file_name)
    reading = _Reading(file_name)
    dependencies = document.get("dependencies") or []
    if not isinstance(dependencies, list):
        raise UsageError(f"`{file_name}` has 1 fault:\n  dependencies: expected a list, got {show(dependencies)}")
    for entry in dependencies:
        if isinstance(entry, dict):
            _read_pip(entry, reading)
        elif isinstance(entry, str):
            _read_match(entry.strip(), reading)
        else:
            reading.misunderstood.append(show(entry))
    reading.misunderstood += sorted(str(key) for key in document if key not in _KNOWN_KEYS)
    name = document.get("name")
    return replace(
        draft,
        name=make_lab_name(name) if isinstance(name, str) and name not in ("", "base") else draft.name,
        system_packages=tuple(dict.fromkeys((*draft.system_packages, *reading.system))),
        python=replace(
            draft.python,
            version=reading.version or draft.python.version,
            packages=tuple(dict.fromkeys((*draft.python.packages, *reading.packages))),
            files=tuple(dict.fromkeys((*draft.python.files, *reading.files))),
            indexes=tuple(reading.indexes),
            find_links=tuple(reading.find_links),
        ),
        container=replace(draft.container, environment=_read_variables(document.get("variables"), reading)),
        notes=(*draft.notes, *_notes(reading)),
    )


def _load(text: str, file_name: str) -> dict[str, Any]:
    import yaml  # noqa: PLC0415  (20 ms, and most folders have no environment.yml)

    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split()) or "nested too deeply"
        raise UsageError(f"cannot read `{file_name}` as YAML: {reason}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise UsageError(f"cannot read `{file_name}`: expected keys such as `dependencies`, got {show(document)}")
    return document


def _read_match(text: str, reading: _Reading) -> None:
    """One of conda's match specifications: `numpy`, `numpy=1.26`, `conda-forge::numpy >=1.20,<2`."""
    match = _MATCH.match(text)
    if match is None:
        reading.misunderstood.append(text)
        return
    option = _VERSION_OPTION.search(match["options"] or "")
    name, version = match["name"].lower(), match["version"].strip() or (option["version"].strip() if option else "")
    if name == "python":
        _read_python(version, text, reading)
    elif name in _NAMES_IN_DEBIAN:
        reading.system.append(name)
    elif _CONDA_ONLY.match(name):
        reading.misunderstood.append(text)
    elif name not in _NOT_NEEDED:
        reading.is_from_channels = True
        _add_requirement(f"{_NAMES_ON_PYPI.get(name, name)}{_to_pep440(version)}", text, reading)


def _read_python(version: str, text: str, reading: _Reading) -> None:
    match = re.match(r"^[=~]{0,2}\s*([23]\.[0-9]{1,2})(\.[0-9*]+)?(=.*)?$", version)
    if match is not None:
        reading.version = match[1]
    elif version:
        reading.misunderstood.append(text)


def _to_pep440(version: str) -> str:
    """Conda's versions in PEP 440: `=1.26` is 1.26.*, `=1.26.4=py311_0` and `==1.26.4` are exact."""
    if not version or version == "*":
        return ""
    if re.match(r"^[<>!~]", version) or "," in version or "|" in version:
        return version  # the same in both, save `|`, which PEP 440 lacks and packaging refuses
    number, _, build = version.lstrip("=").strip().replace(" ", "=").partition("=")
    is_exact = version.startswith("==") or bool(build) or number.endswith("*")
    return f"=={number}" if is_exact else f"=={number}.*"


def _read_pip(entry: dict[object, object], reading: _Reading) -> None:
    for key, lines in entry.items():
        if key != "pip" or not isinstance(lines, list):
            reading.misunderstood.append(str(key))
            continue
        for line in lines:
            if isinstance(line, str):
                _read_pip_line(line.strip(), reading)
            else:
                reading.misunderstood.append(f"pip: {show(line)}")


def _read_pip_line(line: str, reading: _Reading) -> None:
    option, _, value = line.replace("=", " ", 1).partition(" ") if line.startswith("--") else line.partition(" ")
    value = value.strip()
    match option:
        case "-r" | "--requirement" if value:
            _add_file(value, line, reading)
        case "-i" | "--index-url" | "--extra-index-url" if value:
            reading.indexes.append(value)
        case "-f" | "--find-links" if value:
            reading.find_links.append(value)
        case _ if line.startswith("-"):
            reading.misunderstood.append(line)
        case _:
            _add_requirement(line.partition(" #")[0].strip(), line, reading)


def _add_file(path: str, text: str, reading: _Reading) -> None:
    try:
        reading.files.append(parse_inner_path(path))
    except ValueError:
        reading.misunderstood.append(text)


def _add_requirement(requirement: str, text: str, reading: _Reading) -> None:
    try:
        reading.packages.append(parse_requirement(requirement))
    except ValueError:
        reading.misunderstood.append(text)


def _read_variables(variables: object, reading: _Reading) -> tuple[tuple[str, str], ...]:
    pairs = []
    for name, value in variables.items() if isinstance(variables, dict) else ():
        is_plain = isinstance(value, str | int | float) and "\0" not in str(value)
        if isinstance(name, str) and _VARIABLE.match(name) and is_plain:
            pairs.append((name, str(value)))
        else:
            reading.misunderstood.append(f"variables.{name}")
    return tuple(pairs)


def _notes(reading: _Reading) -> Iterator[str]:
    if reading.is_from_channels:
        yield f"The packages of `{reading.file_name}` come from PyPI, not from conda's channels."
    if reading.misunderstood:
        names = ", ".join(f"`{text}`" for text in dict.fromkeys(reading.misunderstood))
        yield f"In `{reading.file_name}` these are not understood: {names}."
