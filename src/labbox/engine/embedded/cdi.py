"""Devices described by the Container Device Interface (specification 0.8): what the host's administrator wrote down.

Files are JSON, or YAML as `nvidia-ctk cdi generate` writes it. Hooks that link files are done by us; those that renew
the linker's cache become a library path; others concern privileges that a rootless container does not have.
"""

import glob
import json
import os
from itertools import pairwise
from typing import Any

from labbox.engine.embedded.operation import Operation
from labbox.engine.embedded.plain_yaml import parse_yaml
from labbox.engine.specification import GpuRequest
from labbox.errors import EngineError

_FOLDERS = ("/etc/cdi", "/var/run/cdi")
_DEFAULT_KIND = "nvidia.com/gpu"


def find_devices(request: GpuRequest, folders: tuple[str, ...] = _FOLDERS) -> tuple[list[Operation], list[str]] | None:
    """Mounts and environment of the requested devices, or None when nothing here describes GPUs.

    Raises EngineError for a device that the descriptions do not have, or a file that cannot be read.
    """
    documents = _read_documents(folders)
    kinds = {name.partition("=")[0] if "=" in name else _DEFAULT_KIND for name in request.device_ids} or {_DEFAULT_KIND}
    if not kinds & {document.get("kind") for document in documents}:
        return None
    operations: list[Operation] = []
    environment: list[str] = []
    general: list[int] = []
    for document, device in _select(documents, request):
        edits = [device.get("containerEdits", {})]
        if id(document) not in general:
            general.append(id(document))
            edits.insert(0, document.get("containerEdits", {}))
        for edit in edits:
            _apply(edit, operations, environment)
    return operations, environment


def _read_documents(folders: tuple[str, ...]) -> list[dict[str, Any]]:
    documents = []
    for folder in folders:
        for path in sorted(glob.glob(os.path.join(folder, "*.json")) + glob.glob(os.path.join(folder, "*.y*ml"))):
            try:
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                document = json.loads(text) if path.endswith(".json") else parse_yaml(text)
            except (OSError, ValueError) as error:
                raise EngineError(f"cannot read the device description `{path}`: {error}") from error
            if isinstance(document, dict):
                documents.append(document)
    return documents


def _select(documents: list[dict[str, Any]], request: GpuRequest) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    available = [
        (f"{document.get('kind')}={device.get('name')}", document, device)
        for document in documents
        for device in document.get("devices", [])
    ]
    if request.device_ids:
        wanted = [name if "=" in name else f"{_DEFAULT_KIND}={name}" for name in request.device_ids]
    elif request.number < 0:
        wanted = [f"{_DEFAULT_KIND}=all"]
    else:
        wanted = [f"{_DEFAULT_KIND}={index}" for index in range(request.number)]
    return [_find(available, name) for name in wanted]


def _find(
    available: list[tuple[str, dict[str, Any], dict[str, Any]]], name: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    for full_name, document, device in available:
        if full_name == name:
            return document, device
    known = ", ".join(full_name for full_name, _, _ in available)
    raise EngineError(f"unresolvable CDI device {name}", hint=f"described on this host: {known}")


def _apply(edit: dict[str, Any], operations: list[Operation], environment: list[str]) -> None:
    environment.extend(edit.get("env") or [])
    operations += [
        _bind(node.get("hostPath") or node["path"], node["path"], read_only=False)
        for node in edit.get("deviceNodes") or []
    ]
    operations += [
        _bind(mount["hostPath"], mount["containerPath"], read_only="ro" in (mount.get("options") or []))
        for mount in edit.get("mounts") or []
    ]
    for hook in edit.get("hooks") or []:
        _apply_hook(hook.get("args") or [], operations, environment)


def _apply_hook(arguments: list[str], operations: list[Operation], environment: list[str]) -> None:
    if "create-symlinks" in arguments:
        for link in _values(arguments, "--link"):
            target, _, path = link.partition("::")
            operations.append(("link", {"target": target, "link": path}))
    elif "update-ldcache" in arguments:
        folders = _values(arguments, "--folder")
        if folders:
            environment.append("LD_LIBRARY_PATH=" + ":".join(folders))


def _values(arguments: list[str], flag: str) -> list[str]:
    following = [value for name, value in pairwise(arguments) if name == flag]
    return following + [value.partition("=")[2] for value in arguments if value.startswith(f"{flag}=")]


def _bind(source: str, target: str, *, read_only: bool) -> Operation:
    arguments = {"source": source, "target": target, "read_only": read_only, "recursive": True, "devices": True}
    return "bind", arguments
