"""`labbox add` and `labbox remove`: packages of the definition changed in the file it was read from, then locked."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from labbox.actions.lock_lab import LockRequest, LockUpdate, Report, ignore_progress, update_lock
from labbox.actions.read_definition import read_definition
from labbox.definition.edit_lines import add_requirement, add_word, remove_requirement, remove_word
from labbox.definition.edit_toml import add_to_list, remove_from_list
from labbox.definition.values import Definition
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import LabboxError, NotFoundError, UsageError
from labbox.files import write_atomic
from labbox.packages.python.uv import find_uv

_LABBOX_FILE = "labbox.toml"
_PROJECT_FILE = "pyproject.toml"
_APT_FILE = "apt.txt"
# Files that say which packages a lab has, and that labbox does not change.
_FOREIGN = ("environment.yml", "environment.yaml", "Dockerfile", "Containerfile", "devcontainer.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageChange:
    """What is asked for: the project folder, packages to add or (`remove`) names to take out; of Python or `system`."""

    project: str
    packages: tuple[str, ...]
    remove: bool = False
    system: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagesChanged:
    """The files that were changed or made, relative to the project folder, and the lock."""

    files: tuple[str, ...]
    update: LockUpdate


def change_packages(
    engine: EmbeddedEngine,
    change: PackageChange,
    environment: Mapping[str, str] = os.environ,
    report: Report = ignore_progress,
) -> PackagesChanged:
    """Change the definition and lock it. When no lock can be had, the definition is as it was before.

    Raises NotFoundError when a package to remove is not in the definition, and what `update_lock` raises.
    """
    definition = read_definition(change.project)
    editor = _Editor(change, definition, environment)
    try:
        editor.edit()
        request = LockRequest(project=change.project, definition=read_definition(change.project))
        update = update_lock(engine, request, environment, report)
    except BaseException:
        editor.undo()
        raise
    return PackagesChanged(files=tuple(editor.changed), update=update)


def requirement_name(text: str) -> str:
    """The normalised name in a requirement; UsageError when it is none."""
    try:
        return canonicalize_name(Requirement(text.split(" --", maxsplit=1)[0].strip()).name)
    except InvalidRequirement as error:
        raise UsageError(
            f"`{text}` is no requirement: {str(error).splitlines()[0]}", hint="Write it as in `numpy` or `numpy>=2,<3`."
        ) from error


class _Editor:
    """Changes files of one project folder, and puts them back on demand."""

    def __init__(self, change: PackageChange, definition: Definition, environment: Mapping[str, str]) -> None:
        self.change = change
        self.definition = definition
        self.environment = environment
        self.changed: list[str] = []
        self._before: dict[str, bytes | None] = {}

    def edit(self) -> None:
        """Make the change in the files that the definition was read from."""
        if self.change.system:
            self._edit_system()
        else:
            for package in self.change.packages:  # before anything is changed
                requirement_name(package)
            self._edit_python()

    def undo(self) -> None:
        """Put every changed file back, and remove those that were made."""
        for name, content in self._before.items():
            path = os.path.join(self.change.project, name)
            if content is None:
                if os.path.exists(path):
                    os.unlink(path)
            elif _read(path) != content:
                write_atomic(path, content, mode=_mode(path))
        self.changed.clear()

    def _edit_system(self) -> None:
        place = self._toml_place()
        for package in self.change.packages:
            name = package.partition("=")[0]
            if place is not None:
                file, path = place
                self._edit_toml(file, (*path, "packages", "system"), package, name, lambda text: text.partition("=")[0])
            elif self.change.remove:
                self._write(_APT_FILE, _required(remove_word(self._text(_APT_FILE), name), name, _APT_FILE))
            else:
                self._refuse_foreign("system packages")
                self._write(_APT_FILE, add_word(self._text(_APT_FILE), package))

    def _edit_python(self) -> None:
        sources = self.definition.sources
        place = self._toml_place()
        python = self.definition.python
        if self.change.remove:
            for package in self.change.packages:
                self._remove_python(requirement_name(package), place)
        elif place is not None and (place[0] == _LABBOX_FILE or not python.project):
            file, path = place
            for package in self.change.packages:
                name = requirement_name(package)
                self._edit_toml(file, (*path, "packages", "python"), package, name, requirement_name)
        elif python.project:
            self._edit_project(self.change.packages)
        elif python.files:
            for package in self.change.packages:
                self._add_line(python.files[0], package)
        else:
            self._refuse_foreign("Python packages")
            name = "requirements.txt" if sources else _LABBOX_FILE
            for package in self.change.packages:
                if name == _LABBOX_FILE:
                    wanted = requirement_name(package)
                    self._edit_toml(name, ("packages", "python"), package, wanted, requirement_name)
                else:
                    self._add_line(name, package)

    def _remove_python(self, name: str, place: tuple[str, tuple[str, ...]] | None) -> None:
        """Take a package out of the first file of the definition that has it."""
        if place is not None:
            file, path = place
            text = self._text(file)
            without = remove_from_list(text, (*path, "packages", "python"), name, _name_or_blank)
            if without is not None:
                self._write(file, without)
                return
        for file in self.definition.python.files:
            without = remove_requirement(self._text(file), name, _name_or_blank)
            if without is not None:
                self._write(file, without)
                return
        if self.definition.python.project:
            self._edit_project((name,))
            return
        files = ", ".join(f"`{file}`" for file in self.definition.sources) or "the definition"
        raise NotFoundError(
            f"`{name}` does not stand in {files}", hint="Packages that others need go when those are removed."
        )

    def _toml_place(self) -> tuple[str, tuple[str, ...]] | None:
        """The TOML file that is labbox's own definition, and where its tables stand."""
        sources = self.definition.sources
        if _LABBOX_FILE in sources or not sources:
            return _LABBOX_FILE, ()
        if _PROJECT_FILE in sources and "[tool.labbox" in self._text(_PROJECT_FILE):
            return _PROJECT_FILE, ("tool", "labbox")
        return None

    def _edit_toml(
        self, file: str, path: Sequence[str], package: str, name: str, name_of: Callable[[str], str]
    ) -> None:
        text = self._text(file)
        if self.change.remove:
            self._write(file, _required(remove_from_list(text, path, name, name_of), name, file))
        else:
            self._write(file, add_to_list(text, path, package, name_of))

    def _edit_project(self, packages: Sequence[str]) -> None:
        """Change the dependencies of pyproject.toml; with a uv.lock let uv do it, without installing anything."""
        if not os.path.exists(os.path.join(self.change.project, "uv.lock")):
            for package in packages:
                path = ("project", "dependencies")
                self._edit_toml(_PROJECT_FILE, path, package, requirement_name(package), _name_or_blank)
            return
        self._remember(_PROJECT_FILE)
        self._remember("uv.lock")
        arguments = ["remove" if self.change.remove else "add", *packages, "--no-sync"]
        find_uv(self.environment).run(arguments, folder=self.change.project, own_python=False)
        self.changed += [name for name in self._before if name not in self.changed]

    def _refuse_foreign(self, what: str) -> None:
        for source in self.definition.sources:
            if os.path.basename(source) in _FOREIGN:
                raise UsageError(
                    f"labbox does not change `{source}`, which says which {what} the lab has",
                    hint="Change it by hand, or describe the lab in a labbox.toml: `labbox init` writes one.",
                )

    def _add_line(self, name: str, package: str) -> None:
        self._write(name, add_requirement(self._text(name), package, _name_or_blank))

    def _text(self, name: str) -> str:
        return (_read(os.path.join(self.change.project, name)) or b"").decode("utf-8")

    def _write(self, name: str, text: str) -> None:
        self._remember(name)
        path = os.path.join(self.change.project, name)
        write_atomic(path, text.encode(), mode=_mode(path))
        if name not in self.changed:
            self.changed.append(name)

    def _remember(self, name: str) -> None:
        self._before.setdefault(name, _read(os.path.join(self.change.project, name)))


def _name_or_blank(text: str) -> str:
    """The name in a line of others, which may be a path or an address."""
    try:
        return requirement_name(text)
    except LabboxError:
        return ""


def _required(text: str | None, name: str, file: str) -> str:
    if text is None:
        raise NotFoundError(
            f"`{name}` does not stand in `{file}`", hint="Packages that others need go when those are removed."
        )
    return text


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode & 0o777
    except FileNotFoundError:
        return 0o644
