"""A project folder's definition: reads what the folder has, and sees that the files it names are there."""

import os
from collections.abc import Iterator

from labbox.definition.small_files import files_named_in
from labbox.definition.sources import NOTICED_FILES, READ_FILES, Files, define
from labbox.definition.values import Definition
from labbox.errors import NotFoundError, UsageError


def read_definition(folder: str) -> Definition:
    """The lab that a folder defines; NotFoundError when there is no such folder, UsageError with a file's faults."""
    if not os.path.isdir(folder):
        what = "is not a folder" if os.path.lexists(folder) else "does not exist"
        raise NotFoundError(f"project folder `{folder}` {what}", hint=f"make it with `labbox init {folder}`")
    present = frozenset(name for name in NOTICED_FILES if os.path.isfile(os.path.join(folder, name)))
    definition = define(
        Files(
            folder_name=os.path.basename(os.path.realpath(folder)),
            texts={name: _read_text(folder, name) for name in READ_FILES if name in present},
            present=present,
        )
    )
    missing = list(_missing_files(folder, definition))
    if missing:
        lines = "\n".join(f"  {line}" for line in missing)
        raise UsageError(f"files that the definition names are missing in `{folder}`:\n{lines}")
    return definition


def _missing_files(folder: str, definition: Definition) -> Iterator[str]:
    if definition.system.startswith("./") and not os.path.isfile(os.path.join(folder, definition.system)):
        yield f"`{definition.system}`, the system's Dockerfile"
    if definition.python.project and not os.path.isfile(os.path.join(folder, "pyproject.toml")):
        yield "`pyproject.toml`, which lists Python packages"
    waiting = [(name, "which lists Python packages") for name in reversed(definition.python.files)]
    seen = set()
    while waiting:
        name, reason = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if os.path.isfile(os.path.join(folder, name)):
            included = files_named_in(_read_text(folder, name), name)
            waiting += [(other, f"which `{name}` includes") for other in reversed(included)]
        else:
            yield f"`{name}`, {reason}"


def _read_text(folder: str, name: str) -> str:
    path = os.path.join(folder, name)
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise UsageError(f"cannot read `{path}`: it is not UTF-8 text") from error
    except OSError as error:
        raise UsageError(f"cannot read `{path}`: {error.strerror or error}") from error
