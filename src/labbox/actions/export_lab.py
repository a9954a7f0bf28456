"""`labbox export --format`: a lab's lock in the format of another tool."""

import os

from labbox.actions.read_definition import read_definition
from labbox.errors import ConflictError, UsageError
from labbox.lock.exports.dockerfile import format_dockerfile
from labbox.lock.exports.pylock import format_pylock
from labbox.lock.exports.requirements import format_requirements
from labbox.lock.exports.spdx import format_spdx
from labbox.lock.lab_file import FILE_NAME, read_lab_lock
from labbox.lock.lab_request import request_digest

FORMATS = ("requirements", "pylock", "dockerfile", "spdx")


def export_lab(folder: str, format_name: str) -> str:
    """The text of a project's lock in a format; NotFoundError when there is no lock, ConflictError for an old one."""
    if format_name not in FORMATS:
        raise UsageError(f"unknown format `{format_name}`", hint=f"Choose one of {', '.join(FORMATS)}.")
    definition = read_definition(folder)
    lock = read_lab_lock(os.path.join(folder, FILE_NAME))
    if lock.request != request_digest(definition, folder):
        raise ConflictError(
            f"lock `{os.path.join(folder, FILE_NAME)}` is out of date: the definition was changed after it was written",
            hint="Run `labbox lock`.",
        )
    if format_name == "requirements":
        return format_requirements(lock.packages)
    if format_name == "pylock":
        return format_pylock(lock)
    return (format_dockerfile if format_name == "dockerfile" else format_spdx)(lock, definition.name)
