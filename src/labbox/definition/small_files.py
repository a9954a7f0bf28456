"""The small files of repo2docker: apt.txt, runtime.txt; and what a requirements file refers to.

Formats: https://repo2docker.readthedocs.io/en/latest/configuration/ and
https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

import posixpath
import re
from dataclasses import replace

from labbox.definition.faults import Faults
from labbox.definition.notation import parse_system_package
from labbox.definition.values import Definition

_RUNTIME = re.compile(r"python-([0-9]+\.[0-9]+)(\.[0-9]+)?")
_REFERENCE = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)(?:\s+|=|(?<=-[rc]))\s*(?P<path>\S+)")


def read_apt_txt(text: str, draft: Definition, file_name: str) -> Definition:
    """The definition with the system packages that apt.txt lists, separated by white space, # begins a comment."""
    faults = Faults()
    names = []
    for number, line in enumerate(text.splitlines(), start=1):
        for word in line.partition("#")[0].split():
            try:
                names.append(parse_system_package(word))
            except ValueError:
                faults.expected(f"line {number}", 'a Debian package such as "git"', word)
    faults.raise_if_any(file_name)
    packages = tuple(dict.fromkeys((*draft.system_packages, *names)))
    return replace(draft, system_packages=packages)


def read_runtime_txt(text: str, draft: Definition, file_name: str) -> Definition:
    """The definition with the Python that runtime.txt names (`python-3.11`); other languages become a note."""
    line = text.strip()
    match = _RUNTIME.fullmatch(line)
    if match is None:
        note = (
            f"`{file_name}` is not understood: it says `{line[:40]}`, and labbox knows only `python-3.13` and the like."
        )
        return replace(draft, notes=(*draft.notes, note))
    notes = draft.notes
    if match[2]:
        notes = (*notes, f"`{file_name}` asks for Python {line[7:]}: the system's latest {match[1]} is used.")
    return replace(draft, python=replace(draft.python, version=match[1]), notes=notes)


def files_named_in(text: str, file_name: str) -> list[str]:
    """The files that a requirements file includes with -r and -c, as paths relative to the project folder."""
    folder = posixpath.dirname(file_name)
    paths = []
    for line in text.splitlines():
        match = _REFERENCE.match(line)
        if match is not None and "://" not in match["path"]:
            paths.append(posixpath.normpath(posixpath.join(folder, match["path"].strip("\"'"))))
    return paths
