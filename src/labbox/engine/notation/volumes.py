"""`-v [source:]target[:options]` (docker/cli, cli/compose/loader/volume.go and volume/mounts/linux_parser.go)."""

import os

from labbox.engine.notation.paths import check_target, is_host_path
from labbox.engine.specification import Mount
from labbox.errors import UsageError

# SELinux labels, propagation and consistency hints change nothing here and are accepted
_IGNORED = frozenset({
    "rw", "z", "Z", "private", "rprivate", "slave", "rslave", "consistent", "cached", "delegated",
})  # fmt: skip
_SHARED_PROPAGATION = frozenset({"shared", "rshared"})


def parse_volume(text: str) -> Mount:
    """One `-v`: a folder of the host, a named volume, or (target alone) an anonymous volume, whose source is empty."""
    if not text:
        raise UsageError("invalid empty volume spec")
    parts = text.split(":")
    if len(parts) > 1 and not all(parts):
        raise UsageError(f"invalid spec: {text}: empty section between colons")
    what = f"invalid volume specification: '{text}'"
    match parts:
        case [target]:
            return Mount(kind="volume", target=check_target(target, what))
        case [source, target]:
            return _make(source, check_target(target, what), "")
        case [source, target, options]:
            return _make(source, check_target(target, what), options)
    raise UsageError(what)


def _make(source: str, target: str, options: str) -> Mount:
    words = set(options.split(",")) if options else set()
    if words & _SHARED_PROPAGATION:
        raise UsageError(f"invalid mode: {options}", hint="mounts do not propagate out of a container; leave it out")
    if words - _IGNORED - {"ro", "nocopy", "idmap"} or {"ro", "rw"} <= words:
        raise UsageError(f"invalid mode: {options}")
    read_only, idmapped = "ro" in words, "idmap" in words
    if is_host_path(source):
        host_path = os.path.abspath(source)
        return Mount(kind="bind", target=target, source=host_path, read_only=read_only, idmapped=idmapped)
    return Mount(
        kind="volume", target=target, source=check_volume_name(source), read_only=read_only, no_copy="nocopy" in words
    )


def check_volume_name(name: str) -> str:
    """The name; raises UsageError with docker's message when a volume cannot have it."""
    rest = name.replace("_", "").replace(".", "").replace("-", "")
    if len(name) > 1 and name.isascii() and name[0].isalnum() and (rest.isalnum() or not rest):
        return name
    raise UsageError(
        f'create {name}: "{name}" includes invalid characters for a local volume name, only '
        '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed',
        hint="to mount a folder of the host, give an absolute path or one that begins with ./",
    )
