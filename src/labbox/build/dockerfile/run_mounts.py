"""`RUN --mount=type=…,target=…` as values.

Source: docs.docker.com/reference/dockerfile, "RUN --mount".
"""

import csv
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from labbox.build.dockerfile.instructions import RunMount
from labbox.errors import UsageError
from labbox.oci.shell_words import expand_word

_SWITCHES = {
    "readonly": ("read_only", True), "ro": ("read_only", True), "rw": ("read_only", False),
    "readwrite": ("read_only", False), "required": ("required", True),
}  # fmt: skip
_CHOICES = {
    "type": ("kind", ("bind", "cache", "tmpfs", "secret", "ssh"), "mount type"),
    "sharing": ("sharing", ("shared", "private", "locked"), "sharing value"),
}
_TEXTS = {
    "target": "target", "dst": "target", "destination": "target", "source": "source", "src": "source",
    "from": "from_stage", "id": "id", "env": "environment",
}  # fmt: skip
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "b": 1}


def parse_mount(text: str) -> RunMount:
    """The value of one `--mount` flag; raises UsageError naming the field."""
    values: dict[str, Any] = {}
    for field in next(csv.reader([text]), []):
        name, equals, value = field.partition("=")
        values.update(_read_field(name.strip().lower(), value if equals else None, field))
    mount = RunMount(**values)
    if mount.kind in ("bind", "cache", "tmpfs") and not mount.target:
        raise UsageError("invalid mount: a target is required", hint="add target=PATH")
    if mount.kind == "secret" and not mount.id:
        mount = replace(mount, id=mount.target.rpartition("/")[2])
        if not mount.id:
            raise UsageError("invalid secret mount: an id is required", hint="add id=NAME")
    if mount.kind == "bind" and "read_only" not in values:
        return replace(mount, read_only=True)
    return mount


def expand_mount(mount: RunMount, variables: Mapping[str, str], escape: str) -> RunMount:
    """The mount with the variables in its paths and names replaced."""

    def expand(text: str) -> str:
        return expand_word(text, variables, escape=escape)

    return replace(
        mount,
        target=expand(mount.target),
        source=expand(mount.source),
        from_stage=expand(mount.from_stage),
        id=expand(mount.id),
    )


def _read_field(name: str, value: str | None, field: str) -> dict[str, Any]:
    if name in _SWITCHES:
        return {_SWITCHES[name][0]: _switch(name, value) == _SWITCHES[name][1]}
    if value is None:
        raise UsageError(f"invalid field `{field}`: it must be a key=value pair")
    if name in _CHOICES:
        return {_CHOICES[name][0]: _one_of(value, _CHOICES[name][1], _CHOICES[name][2])}
    if name in _TEXTS:
        return {_TEXTS[name]: value}
    if name in ("uid", "gid", "mode"):
        return {name: _number(name, value, 8 if name == "mode" else 10)}
    if name != "size":
        raise UsageError(f"unexpected key `{name}` in `{field}`")
    unit = value[-1:].lower()
    return {"size_bytes": _number(name, value[:-1] if unit in _UNITS else value, 10) * _UNITS.get(unit, 1)}


def _switch(name: str, value: str | None) -> bool:
    if value is None or value.lower() in ("true", "1"):
        return True
    if value.lower() in ("false", "0"):
        return False
    raise UsageError(f"invalid value for {name}: {value}")


def _one_of(value: str, choices: tuple[str, ...], what: str) -> str:
    if value.lower() not in choices:
        raise UsageError(f"unsupported {what} `{value}`: it is one of {', '.join(choices)}")
    return value.lower()


def _number(name: str, value: str, base: int) -> int:
    try:
        return int(value, base)
    except ValueError:
        raise UsageError(f"invalid value for {name}: {value}") from None
