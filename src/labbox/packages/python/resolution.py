"""From requirements to packages with exact versions and files, by uv."""

import os
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from labbox.errors import ResolutionError, UsageError
from labbox.packages.python.platform import PythonPlatform
from labbox.packages.python.pylock import PylockPackage, format_preferences, parse_pylock
from labbox.packages.python.uv import Uv
from labbox.packages.python.wanted import WantedPackages

_OUTPUT = "pylock.toml"  # uv writes its format by this name alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The packages, by name, and what uv warned of."""

    packages: tuple[PylockPackage, ...]
    warnings: tuple[str, ...] = ()


def compile_packages(
    uv: Uv, wanted: WantedPackages, platform: PythonPlatform, *, folder: str, preferred: Mapping[str, str]
) -> Resolution:
    """Resolve anew; a version of `preferred` is kept where nothing speaks against it."""
    with tempfile.TemporaryDirectory(prefix="labbox-lock-") as scratch:
        output = os.path.join(scratch, _OUTPUT)
        if preferred:  # (a list of none is an error to uv)
            _write(output, format_preferences(preferred))
        arguments = ["pip", "compile", "-", *wanted.files]
        if wanted.project:
            arguments += ["pyproject.toml", *_group_options(read_project(folder), wanted.groups)]
        if wanted.constraints:
            _write(f"{scratch}/constraints.txt", "\n".join(wanted.constraints) + "\n")
            arguments += ["--constraints", f"{scratch}/constraints.txt"]
        for index in wanted.indexes:
            arguments += ["--index", index]
        for place in wanted.find_links:
            arguments += ["--find-links", place]
        arguments += ["--python-version", _version(platform), "--python-platform", platform.uv_name]
        arguments += ["--format", _OUTPUT, "--output-file", output, "--no-header"]
        done = uv.run(arguments, folder=folder, text="\n".join(wanted.requirements) + "\n")
        with open(output, encoding="utf-8") as file:
            packages = parse_pylock(file.read(), folder=scratch)
    return Resolution(packages=_for_platform(packages, platform), warnings=done.warnings)


def export_project(uv: Uv, groups: Sequence[str], platform: PythonPlatform, *, folder: str) -> Resolution:
    """What uv.lock says, without any network; ResolutionError when it is older than pyproject.toml's requirements."""
    project = read_project(folder)
    check_uv_lock(folder, project)
    arguments = ["export", "--frozen", "--format", _OUTPUT, "--no-header", "--no-emit-project"]
    arguments += _group_options(project, groups, defaults=False)
    done = uv.run(arguments, folder=folder, own_python=False)
    return Resolution(packages=_for_platform(parse_pylock(done.text, folder=folder), platform), warnings=done.warnings)


def read_project(folder: str) -> dict[str, Any]:
    """The document of a folder's pyproject.toml."""
    return _read_toml(folder, "pyproject.toml")


def check_uv_lock(folder: str, project: Mapping[str, Any]) -> None:
    """Refuse a uv.lock that does not have what pyproject.toml asks for."""
    lock = _read_toml(folder, "uv.lock")
    name = canonicalize_name(str(project.get("project", {}).get("name", "")))
    own = next((row for row in lock.get("package", []) if row.get("name") == name), None)
    if own is None:
        return
    locked = {_requirement_key(row) for row in own.get("metadata", {}).get("requires-dist", [])}
    names = {key[0] for key in locked}
    for line in project.get("project", {}).get("dependencies", []):
        try:
            requirement = Requirement(line)
        except InvalidRequirement as error:
            raise UsageError(f"pyproject.toml: project.dependencies: `{line}` is no requirement: {error}") from error
        key = (canonicalize_name(requirement.name), _canonical_specifier(str(requirement.specifier)))
        if key not in locked and (requirement.url is None or key[0] not in names):
            raise ResolutionError(
                f"`uv.lock` is older than `pyproject.toml`: it does not know `{line}`", hint="Run `uv lock`."
            )


def _group_options(project: Mapping[str, Any], groups: Sequence[str], *, defaults: bool = True) -> list[str]:
    """Options for groups and extras; with `defaults` also for the groups that uv takes unasked."""
    known = {canonicalize_name(name) for name in project.get("dependency-groups", {})}
    extras = {canonicalize_name(name) for name in project.get("project", {}).get("optional-dependencies", {})}
    wanted = [canonicalize_name(name) for name in groups]
    if defaults:
        usual = project.get("tool", {}).get("uv", {}).get("default-groups", ["dev"])
        usual = sorted(known) if usual == "all" else [canonicalize_name(name) for name in usual]
        wanted += [name for name in usual if name in known]
    options: list[str] = []
    for name in dict.fromkeys(wanted):
        if name not in known | extras:
            raise UsageError(
                f"pyproject.toml has no group and no extra `{name}`",
                hint=f"Choose one of {', '.join(f'`{each}`' for each in sorted(known | extras)) or 'none'}.",
            )
        options += ["--group" if name in known else "--extra", name]
    return options


def _for_platform(packages: Sequence[PylockPackage], platform: PythonPlatform) -> tuple[PylockPackage, ...]:
    fitting = [package for package in packages if not package.marker or platform.accepts(package.marker)]
    return tuple(sorted(fitting, key=lambda package: package.name))


def _requirement_key(row: Mapping[str, Any]) -> tuple[str, str]:
    return canonicalize_name(str(row.get("name", ""))), _canonical_specifier(str(row.get("specifier", "")))


def _canonical_specifier(text: str) -> str:
    return ",".join(sorted(part.strip() for part in text.split(",")))


def _version(platform: PythonPlatform) -> str:
    return ".".join(platform.version.split(".")[:3])


def _read_toml(folder: str, name: str) -> dict[str, Any]:
    try:
        with open(os.path.join(folder, name), "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise UsageError(f"cannot read `{name}`: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"cannot read `{name}`: {error}") from error


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
