"""`labbox init`: a folder with a labbox.toml, and with a template's sample programs."""

import os
from dataclasses import dataclass

import labbox
from labbox.definition.templates import PLAIN_LABBOX_TOML, TEMPLATES
from labbox.errors import ConflictError, NotFoundError, UsageError
from labbox.files import write_atomic


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProject:
    """What was written: the folder, and its new files relative to it."""

    folder: str
    files: tuple[str, ...]


def init_project(folder: str, *, template: str | None = None, force: bool = False) -> NewProject:
    """Write a project into a folder, made if need be; ConflictError names files that are there, unless `force`."""
    contents = _contents(template)
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise UsageError(f"`{folder}` is not a folder", exit_code=1)
    taken = [name for name in contents if os.path.lexists(os.path.join(folder, name))]
    if taken and not force:
        names = ", ".join(f"`{name}`" for name in taken)
        raise ConflictError(f"already in `{folder}`: {names}", hint="name another folder, or overwrite with --force")
    try:
        os.makedirs(folder, exist_ok=True)
        for name, data in contents.items():
            write_atomic(os.path.join(folder, name), data, mode=0o666)
    except OSError as error:
        raise UsageError(f"cannot write to `{folder}`: {error.strerror or error}", exit_code=1) from error
    return NewProject(folder=folder, files=tuple(contents))


def _contents(template: str | None) -> dict[str, bytes]:
    if template is None:
        return {"labbox.toml": PLAIN_LABBOX_TOML.encode()}
    if template not in TEMPLATES:
        raise NotFoundError(f"unknown template `{template}`", hint=f"the templates are {', '.join(TEMPLATES)}")
    contents = {}
    for name in TEMPLATES[template].files:
        with open(os.path.join(_templates_folder(), template, name), "rb") as file:
            contents[name] = file.read()
    return contents


def _templates_folder() -> str:
    """Where the examples are: in the installed package, or beside it in a checkout."""
    package = os.path.dirname(os.path.abspath(labbox.__file__))
    installed = os.path.join(package, "examples")
    return installed if os.path.isdir(installed) else os.path.join(package, "..", "..", "examples")
