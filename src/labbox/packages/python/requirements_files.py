"""Requirements files in pip's format: which files belong to them, and which hashes they allow.

The format: https://pip.pypa.io/en/stable/reference/requirements-file-format/. What is required is uv's to read.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labbox.errors import UsageError

_INCLUDE = re.compile(r"(?:-r|-c|--requirements?|--constraints?)[ =]*(\S+)")
_HASH = re.compile(r"--hash[ =]sha256:([0-9a-f]{64})")
_COMMENT = re.compile(r"(^|\s)#.*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementsFile:
    """A file as it is: its path, the one named relative to the project folder, and its text."""

    path: str
    text: str

    def lines(self) -> Iterator[str]:
        """The lines with continued ones joined, without comments and blank ones."""
        for line in re.sub(r"\\\r?\n", " ", self.text).splitlines():
            bare = _COMMENT.sub("", line).strip()
            if bare:
                yield bare


def read_requirements_files(folder: str, names: Sequence[str]) -> list[RequirementsFile]:
    """The named files and every file they include, each once; UsageError names one that cannot be read."""
    found: dict[str, RequirementsFile] = {}
    waiting = [(name, "") for name in reversed(names)]
    while waiting:
        name, includer = waiting.pop()
        path = os.path.normpath(name)
        if path in found or "://" in name:
            continue
        found[path] = file = _read(folder, path, includer)
        included = [match.group(1) for line in file.lines() if (match := _INCLUDE.match(line))]
        waiting += [
            (each if "://" in each else os.path.join(os.path.dirname(path), each), path) for each in reversed(included)
        ]
    return list(found.values())


def allowed_hashes(files: Sequence[RequirementsFile]) -> dict[str, frozenset[str]]:
    """The sha256 sums that `--hash` allows, by normalised name; a package that has none is not there."""
    allowed: dict[str, frozenset[str]] = {}
    for file in files:
        for line in file.lines():
            hashes = frozenset(_HASH.findall(line))
            name = _name(line) if hashes else None
            if name:
                allowed[name] = allowed.get(name, frozenset()) | hashes
    return allowed


def _name(line: str) -> str | None:
    # Whether a lock is current is asked without any of it.
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    try:
        return canonicalize_name(Requirement(re.split(r"\s--", line)[0].strip()).name)
    except InvalidRequirement:
        return None


def _read(folder: str, path: str, includer: str) -> RequirementsFile:
    try:
        with open(os.path.join(folder, path), encoding="utf-8-sig") as file:
            return RequirementsFile(path=path, text=file.read())
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8"
        where = f" (named in `{includer}`)" if includer else ""
        raise UsageError(f"cannot read requirements file `{path}`{where}: {reason}") from error
