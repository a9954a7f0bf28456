"""devcontainer.json, as far as a lab has a place for it (https://containers.dev/implementors/json_reference/)."""

import posixpath
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from labbox.definition.faults import Faults, show
from labbox.definition.jsonc import parse_jsonc
from labbox.definition.notation import (
    HIGHEST_PORT,
    check_mount,
    parse_inner_path,
    parse_published,
    parse_system,
    parse_variable_name,
)
from labbox.definition.values import Definition
from labbox.errors import UsageError

# for editors, or true of every lab
_NOT_NEEDED = frozenset({
    "$schema", "name", "customizations", "extensions", "settings", "otherPortsAttributes", "portsAttributes",
    "overrideCommand", "shutdownAction", "updateRemoteUserUID", "userEnvProbe", "waitFor", "init",
})  # fmt: skip
_READ = frozenset({
    "image", "build", "dockerFile", "context", "forwardPorts", "appPort", "mounts", "remoteEnv", "containerEnv",
    "onCreateCommand", "updateContentCommand", "postCreateCommand",
})  # fmt: skip
_OWN_PORTS = frozenset({"8888:8888", "6006:6006"})  # those of JupyterLab and TensorBoard, which a lab publishes itself
_COMMANDS = ("onCreateCommand", "updateContentCommand", "postCreateCommand")  # in the order of the specification
_FOLDER = "${localWorkspaceFolder}"
_HOME = re.compile(r"\$\{localEnv:(HOME|USERPROFILE)\}")
_VARIABLES = {"${containerWorkspaceFolder}": "/workspace", "${containerWorkspaceFolderBasename}": "workspace"}

Document = dict[str, Any]


class _NotUnderstoodError(Exception):
    """A value that labbox has no counterpart for."""


def read_devcontainer(text: str, draft: Definition, file_name: str) -> Definition:
    """The definition with what devcontainer.json says; notes name what has no place in a lab."""
    try:
        document = parse_jsonc(text)
    except ValueError as error:
        raise UsageError(f"cannot read `{file_name}` as JSON: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"cannot read `{file_name}`: expected an object, got {show(document)}")
    return _Reader(document, file_name).read(draft)


class _Reader:
    """One file being read; `missed` gathers what is not understood."""

    def __init__(self, document: Document, file_name: str) -> None:
        self.document = document
        self.file_name = file_name
        self.folder = posixpath.dirname(file_name)
        self.missed = [key for key in document if key not in _READ and key not in _NOT_NEEDED]
        self.faults = Faults()

    def read(self, draft: Definition) -> Definition:
        system = self._system() or draft.system
        container = replace(
            draft.container,
            environment=tuple(self._environment()),
            mounts=tuple(dict.fromkeys(self._mounts())),
            ports=tuple(dict.fromkeys(self._ports())),
        )
        after_create = tuple(line for key in _COMMANDS for line in self._commands(key))
        self.faults.raise_if_any(self.file_name)
        names = ", ".join(f"`{name}`" for name in dict.fromkeys(self.missed))
        notes = (f"In `{self.file_name}` these are not understood: {names}.",) if names else ()
        return replace(
            draft, system=system, container=container, after_create=after_create, notes=(*draft.notes, *notes)
        )

    def _system(self) -> str:
        build = self.document.get("build", {})
        if not isinstance(build, dict):
            self.faults.expected("build", "an object", build)
            return ""
        dockerfile = build.get("dockerfile", self.document.get("dockerFile"))
        self.missed += [f"build.{key}" for key in build if key not in ("dockerfile", "context")]
        if dockerfile is not None:
            self._check_context(build.get("context", self.document.get("context", ".")), dockerfile)
            return self._dockerfile(dockerfile)
        image = self.document.get("image")
        if image is None:
            return ""
        try:
            return parse_system(image) if isinstance(image, str) and "${" not in image else self._miss("image")
        except ValueError as error:
            self.faults.expected("image", "an image reference", image, str(error))
            return ""

    def _dockerfile(self, path: object) -> str:
        try:
            return "./" + parse_inner_path(posixpath.join(self.folder, str(path)))
        except ValueError:
            self.faults.expected("build.dockerfile", "a file inside the project folder", path)
            return ""

    def _check_context(self, context: object, dockerfile: object) -> None:
        """Labbox builds a Dockerfile with its own folder as the context."""
        wanted = posixpath.normpath(posixpath.join(self.folder, str(context)))
        if wanted != (posixpath.dirname(posixpath.normpath(posixpath.join(self.folder, str(dockerfile)))) or "."):
            self.missed.append("build.context")

    def _environment(self) -> Iterator[tuple[str, str]]:
        pairs: dict[str, str] = {}
        for key in ("containerEnv", "remoteEnv"):
            for name, value in self._table(key).items():
                try:
                    pairs[parse_variable_name(name)] = _expand(value)
                except (_NotUnderstoodError, ValueError):
                    self.missed.append(f"{key}.{name}")
        yield from pairs.items()

    def _mounts(self) -> Iterator[str]:
        for position, mount in enumerate(self._list("mounts")):
            try:
                yield check_mount(_mount_text(mount))
            except (_NotUnderstoodError, ValueError):
                self.missed.append(f"mounts[{position}]")

    def _ports(self) -> Iterator[str]:
        app_port = self.document.get("appPort", [])
        entries = [("forwardPorts", port) for port in self._list("forwardPorts")]
        entries += [("appPort", port) for port in (app_port if isinstance(app_port, list) else [app_port])]
        for key, port in entries:
            try:
                text = _port_text(port)
            except ValueError:
                self.missed.append(f"{key} {show(port)}")
                continue
            if text not in _OWN_PORTS:
                yield text

    def _commands(self, key: str) -> Iterator[str]:
        command = self.document.get(key)
        commands = command.values() if isinstance(command, dict) else [command] if command else []
        for one in commands:
            if isinstance(one, str) and one.strip() and "\0" not in one:
                yield one
            elif isinstance(one, list) and one and all(isinstance(word, str) for word in one):
                yield shlex.join(one)
            else:
                self.faults.expected(key, "a line for the shell, or a list of words", one)

    def _table(self, key: str) -> Document:
        value = self.document.get(key) or {}
        if not isinstance(value, dict):
            self.faults.expected(key, "an object", value)
            return {}
        return value

    def _list(self, key: str) -> list[object]:
        value = self.document.get(key) or []
        if not isinstance(value, list):
            self.faults.expected(key, "a list", value)
            return []
        return value

    def _miss(self, key: str) -> str:
        self.missed.append(key)
        return ""


def _expand(value: object) -> str:
    """The value with the variables that a lab knows; raises _NotUnderstoodError for another one."""
    if not isinstance(value, str):
        raise _NotUnderstoodError
    for name, text in _VARIABLES.items():
        value = value.replace(name, text)
    if "${" in value or "\0" in value:
        raise _NotUnderstoodError
    return value


def _mount_text(mount: object) -> str:
    """A mount of docker's --mount, or the same as an object, as -v writes it."""
    if isinstance(mount, str):
        fields = {name.strip(): value for name, _, value in (part.partition("=") for part in mount.split(","))}
    elif isinstance(mount, dict):
        fields = {str(name): str(value) for name, value in mount.items()}
    else:
        raise _NotUnderstoodError
    source = _HOME.sub("~", fields.get("source", fields.get("src", "")))
    if source.startswith(_FOLDER):
        source = f".{source.removeprefix(_FOLDER)}" if source != _FOLDER else "./."
    target = fields.get("target", fields.get("dst", fields.get("destination", "")))
    kind = fields.get("type", "volume")
    is_folder = source.startswith(("/", ".", "~"))
    if kind not in ("bind", "volume") or not source or (kind == "bind") != is_folder or ":" in source + target:
        raise _NotUnderstoodError
    read_only = any(fields.get(name, "false") in ("", "true", "1") for name in ("readonly", "ro") if name in fields)
    return f"{_expand(source)}:{_expand(target)}{':ro' if read_only else ''}"


def _port_text(port: object) -> str:
    if isinstance(port, int) and not isinstance(port, bool) and 1 <= port <= HIGHEST_PORT:
        return f"{port}:{port}"
    if isinstance(port, str) and not port.startswith("localhost:"):
        return parse_published(port if ":" in port else f"{port}:{port}")
    raise ValueError
