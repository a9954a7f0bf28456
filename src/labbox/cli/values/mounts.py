"""`--mount type=bind,source=/a,target=/b,readonly` (docker/cli, opts/mount.go)."""

import os

from labbox.cli.flags import parse_switch
from labbox.cli.humanize import parse_size
from labbox.cli.values.fields import split_fields
from labbox.engine.notation.paths import check_target
from labbox.engine.notation.volumes import check_volume_name
from labbox.engine.specification import Mount
from labbox.errors import UsageError

_LONG_NAMES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "idmap": "idmapped"}
_SWITCHES = frozenset({"readonly", "volume-nocopy", "bind-nonrecursive", "idmapped"})
_TEXTS = frozenset({"type", "source", "target", "tmpfs-size", "tmpfs-mode", "tmpfs-options"})
# they change nothing here: mounts never propagate out, volumes are folders
_IGNORED = frozenset({"bind-propagation", "consistency", "volume-driver", "volume-label"})
_UNSUPPORTED = frozenset({"bind-recursive", "volume-opt", "volume-subpath", "image-subpath", "bind-create-src"})


def parse_mount(text: str) -> Mount:
    """One `--mount`; raises UsageError with docker's reason."""
    if not text:
        raise UsageError("value is empty", hint="write it as type=bind,source=/host/folder,target=/folder")
    fields = dict(_parse_field(field) for field in split_fields(text))
    kind = fields.get("type", "volume")
    if "target" not in fields:
        raise UsageError("target is required")
    for prefix in ("bind", "volume", "tmpfs"):
        if prefix != kind and any(name.startswith(f"{prefix}-") for name in fields):
            raise UsageError(f"cannot mix '{prefix}-*' options with mount type '{kind}'")
    what = f'invalid mount config for type "{kind}"'
    target = check_target(fields["target"], what)
    match kind:
        case "bind":
            return _bind(fields, target, what)
        case "volume":
            return _volume(fields, target)
        case "tmpfs":
            return _tmpfs(fields, target, what)
    raise UsageError(f"{what}: mount type unknown", hint="the types are bind, volume and tmpfs")


def _parse_field(field: str) -> tuple[str, str]:
    name, equals, value = field.partition("=")
    name = _LONG_NAMES.get(name.lower(), name.lower())
    if name in _SWITCHES:
        return name, _parse_switch(name, value) if equals else "true"
    if not equals:
        raise UsageError(f"invalid field '{field}' must be a key=value pair")
    if name in _UNSUPPORTED:
        raise UsageError(f"labbox does not know the mount option '{name}'", hint="leave it out")
    if name not in _TEXTS and name not in _IGNORED:
        raise UsageError(f"unexpected key '{name}' in '{field}'")
    return name, value


def _parse_switch(name: str, value: str) -> str:
    try:
        return "true" if parse_switch(value) else ""
    except UsageError:
        raise UsageError(f"invalid value for {name}: {value}") from None


def _bind(fields: dict[str, str], target: str, what: str) -> Mount:
    source = fields.get("source", "")
    if not source:
        raise UsageError(f"{what}: field Source must not be empty")
    if source.startswith("."):
        source = os.path.abspath(source)
    if not source.startswith("/"):
        raise UsageError(f"{what}: invalid mount path: '{source}' mount path must be absolute")
    return Mount(
        kind="bind",
        target=target,
        source=source,
        read_only=bool(fields.get("readonly")),
        recursive=not fields.get("bind-nonrecursive"),
        idmapped=bool(fields.get("idmapped")),
    )


def _volume(fields: dict[str, str], target: str) -> Mount:
    source = fields.get("source", "")
    return Mount(
        kind="volume",
        target=target,
        source=check_volume_name(source) if source else "",
        read_only=bool(fields.get("readonly")),
        no_copy=bool(fields.get("volume-nocopy")),
    )


def _tmpfs(fields: dict[str, str], target: str, what: str) -> Mount:
    if fields.get("source"):
        raise UsageError(f"{what}: field Source must not be specified")
    try:
        size_bytes = parse_size(fields.get("tmpfs-size", "0"))
    except UsageError:
        raise UsageError(f"invalid value for tmpfs-size: {fields['tmpfs-size']}") from None
    try:
        mode = int(fields.get("tmpfs-mode", "1777"), 8)
    except ValueError:
        raise UsageError(f"invalid value for tmpfs-mode: {fields['tmpfs-mode']}") from None
    return Mount(kind="tmpfs", target=target, read_only=bool(fields.get("readonly")), size_bytes=size_bytes, mode=mode)
