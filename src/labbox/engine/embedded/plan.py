"""From a container's specification to the plan that `stage` carries out: pure, tested without privilege.

Sources for the defaults: the OCI runtime specification and docker's own defaults (masked and read-only paths,
capabilities, device set), so that a program finds the world it finds under docker.
"""

import os
import resource

from labbox.engine.embedded.folders import ContainerFolder
from labbox.engine.embedded.operation import Operation
from labbox.engine.specification import ContainerSpec, ExecSpec, Mount
from labbox.errors import EngineError
from labbox.lightweight_typing import Any, NamedTuple
from labbox.linux import capabilities
from labbox.linux.idmap import DEVELOPER_ID, Identity
from labbox.linux.mounts import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# (id on disk, id shown, how many); of users and of groups
IdRange = tuple[int, int, int]
IdMap = tuple[list[IdRange], list[IdRange]]

_IDS = 65536
_PRIVATE = MS_NOSUID | MS_NODEV | MS_NOEXEC
_MASKED = (
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
    "/sys/devices/virtual/powercap",
)  # fmt: skip
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_TTY_GROUP = 5
_FLAG_WORDS = {
    "ro": (MS_RDONLY, 0), "rw": (0, MS_RDONLY), "nosuid": (MS_NOSUID, 0), "suid": (0, MS_NOSUID),
    "nodev": (MS_NODEV, 0), "dev": (0, MS_NODEV), "noexec": (MS_NOEXEC, 0), "exec": (0, MS_NOEXEC),
}  # fmt: skip
_APT_SETTINGS = "/dev/labbox/apt.conf"
ALL_CAPABILITIES = (1 << len(capabilities.NAMES)) - 1


class HostFacts(NamedTuple):
    """What a plan needs to know of this host and has been found out before."""

    identity: Identity
    layers: tuple[str, ...]
    volumes_dir: str
    filters: tuple[bytes, ...] = ()
    ownership_filter: bytes = b""
    cgroup_files: tuple[str, ...] = ()
    has_ipv6: bool = False
    hostname: str = ""
    last_capability: int = 40
    descriptor_limit: tuple[int, int] = (1024, 1024)  # soft and hard, the user's own
    devices: tuple[str, ...] = ()  # sources of mounts that are device nodes
    owners: tuple[tuple[str, int, int], ...] = ()  # user and group of the sources of idmapped mounts
    extra_operations: tuple[Operation, ...] = ()
    extra_environment: tuple[str, ...] = ()


def make_plan(spec: ContainerSpec, folder: ContainerFolder, facts: HostFacts) -> dict[str, Any]:
    """The whole plan; keys as `stage`, `init` and `payload` read them."""
    return {
        "cgroups": list(facts.cgroup_files),
        "network": spec.network,
        "ipv6": facts.has_ipv6,
        "hostname": hostname_of(spec, facts),
        "root": {
            "lower": list(reversed(facts.layers)),
            "upper": folder.upper,
            "work": folder.work,
            "merged": folder.merged,
            "volatile": spec.auto_remove,
            "devices": spec.security.privileged,
        },
        "operations": plan_operations(spec, folder, facts),
        "working_dir": spec.working_dir,
        "read_only": spec.read_only,
        "payload": plan_payload(spec, facts),
        "init": spec.init,
    }


def hostname_of(spec: ContainerSpec, facts: HostFacts) -> str:
    """The name given, else the host's own in its network, else the start of the id."""
    return spec.hostname or (facts.hostname if spec.network == "host" else spec.id[:12])


def plan_operations(spec: ContainerSpec, folder: ContainerFolder, facts: HostFacts) -> list[Operation]:
    """Every mount of a container in its order: the kernel's file systems, the user's mounts, files of /etc, masks."""
    taken = {mount.target for mount in spec.mounts}
    operations = [
        *(entry for entry in _kernel_filesystems(spec, facts) if entry[1].get("target") not in taken),
        *_etc_files(folder, taken),
        *facts.extra_operations,
        *(
            _user_mount(mount, facts, privileged=spec.security.privileged)
            for mount in sorted(spec.mounts, key=lambda mount: mount.target.count("/"))
        ),
    ]
    if facts.identity.mode == "single":
        operations.append(_bind(os.path.join(folder.etc, "apt.conf"), _APT_SETTINGS, read_only=True))
    if not spec.security.privileged and not spec.security.unmask_system_paths:
        operations += [("mask", {"target": path}) for path in _MASKED]
        operations += [("read_only", {"target": path}) for path in _READ_ONLY]
    return operations


def plan_payload(spec: ContainerSpec, facts: HostFacts) -> dict[str, Any]:
    """How the command runs."""
    return {
        "command": list(spec.command),
        "environment": _environment(spec, facts, terminal=spec.terminal),
        "working_dir": spec.working_dir,
        "user": spec.user,
        "group_add": list(spec.group_add),
        "terminal": spec.terminal,
        "capabilities": capability_mask(spec),
        "no_new_privileges": spec.security.no_new_privileges,
        "filters": list(facts.filters),
        "ownership_filter": facts.ownership_filter,
        "limits": [
            (resource.RLIMIT_NOFILE, *facts.descriptor_limit),
            *(_limit(entry.name, entry.soft, entry.hard) for entry in spec.ulimits),
        ],
        "groups_settable": facts.identity.mode != "single",
        "mode": facts.identity.mode,
        "last_capability": facts.last_capability,
    }


def plan_exec_payload(spec: ContainerSpec, exec_spec: ExecSpec, facts: HostFacts) -> dict[str, Any]:
    """How one more command runs: as the container's own, but for what the command line says."""
    payload = plan_payload(spec, facts)
    environment = _environment(spec, facts, terminal=exec_spec.terminal)
    payload |= {
        "command": list(exec_spec.command),
        "environment": [*environment, *exec_spec.environment],
        "working_dir": exec_spec.working_dir or spec.working_dir,
        "user": exec_spec.user or spec.user,
        "terminal": exec_spec.terminal,
    }
    if exec_spec.privileged:
        payload |= {"capabilities": ALL_CAPABILITIES, "filters": []}
    return payload


def capability_mask(spec: ContainerSpec) -> int:
    """Docker's default set with `--cap-add` and `--cap-drop` applied; all of them when privileged.

    Raises EngineError for a name the kernel does not have.
    """
    if spec.security.privileged:
        return ALL_CAPABILITIES
    added, dropped = (
        {_capability(name) for name in names} for names in (spec.security.cap_add, spec.security.cap_drop)
    )
    held = set(capabilities.NAMES) if "ALL" in added else set(capabilities.DOCKER_DEFAULT)
    held = set() if "ALL" in dropped else held - dropped
    return capabilities.mask_of((held | added) - {"ALL"})


def _capability(name: str) -> str:
    short = name.upper().removeprefix("CAP_")
    if short != "ALL" and short not in capabilities.NUMBERS:
        raise EngineError(f'invalid capability: unknown capability "{name}"')
    return short


def _kernel_filesystems(spec: ContainerSpec, facts: HostFacts) -> list[Operation]:
    privileged = spec.security.privileged
    system_flags = _PRIVATE if privileged and facts.identity.mode == "root" else _PRIVATE | MS_RDONLY
    shm_size = f"size={spec.shm_bytes}" if spec.shm_bytes else "size=50%"
    terminal_group = "" if facts.identity.mode == "single" else f",gid={_TTY_GROUP}"
    operations = [_filesystem("proc", "/proc", _PRIVATE)]
    if spec.network == "host" and facts.identity.mode != "root":
        # sysfs shows network devices, so the kernel lets only the owner of the network namespace mount it.
        operations.append(_bind("/sys", "/sys", read_only=True, recursive=True))
    else:
        operations.append(_filesystem("sysfs", "/sys", system_flags))
        operations.append(_filesystem("cgroup2", "/sys/fs/cgroup", system_flags, optional=True))
    if privileged and facts.identity.mode == "root":
        operations.append(("host_devices", {}))
    else:
        operations.append(_filesystem("tmpfs", "/dev", _PRIVATE, "mode=755,size=64m"))
        operations.append(("devices", {}))
    operations += [
        _filesystem(
            "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, f"newinstance,ptmxmode=0666,mode=0620{terminal_group}"
        ),
        _filesystem("tmpfs", "/dev/shm", _PRIVATE, f"mode=1777,{shm_size}"),
        _filesystem("mqueue", "/dev/mqueue", _PRIVATE, optional=True),
    ]
    return operations


def _etc_files(folder: ContainerFolder, taken: set[str]) -> list[Operation]:
    """Files we wrote, never a bind of the host's: that one goes stale when the host replaces it."""
    return [
        ("bind_of_root", {"source": os.path.join(folder.etc, name), "target": f"/etc/{name}"})
        for name in ("resolv.conf", "hostname", "hosts")
        if f"/etc/{name}" not in taken
    ]


def _user_mount(mount: Mount, facts: HostFacts, *, privileged: bool) -> Operation:
    if mount.kind == "tmpfs":
        return _tmpfs(mount)
    if mount.kind == "volume":
        source = os.path.join(facts.volumes_dir, mount.source, "_data")
        return "volume", {
            "source": source,
            "target": mount.target,
            "read_only": mount.read_only,
            "copy": not mount.no_copy,
        }
    idmap = _as_developer(mount.source, facts) if mount.idmapped and facts.identity.mode == "root" else None
    return _bind(
        mount.source,
        mount.target,
        read_only=mount.read_only,
        recursive=mount.recursive,
        devices=privileged or mount.source in facts.devices,
        idmap=idmap,
    )


def _tmpfs(mount: Mount) -> Operation:
    flags = _PRIVATE | (MS_RDONLY if mount.read_only else 0)
    rest = []
    for word in mount.options:
        if word in _FLAG_WORDS:
            set_bits, cleared_bits = _FLAG_WORDS[word]
            flags = (flags | set_bits) & ~cleared_bits
        else:
            rest.append(word)
    if mount.size_bytes:
        rest.append(f"size={mount.size_bytes}")
    if not any(word.startswith("mode=") for word in rest):
        rest.append(f"mode={mount.mode:o}")
    return _filesystem("tmpfs", mount.target, flags, ",".join(rest))


def _as_developer(source: str, facts: HostFacts) -> IdMap:
    """What belongs to the source's owner on disk belongs to `developer` inside, and the reverse; the rest stays."""
    user, group = next(((user, group) for path, user, group in facts.owners if path == source), (0, 0))
    return _swap_with_developer(user), _swap_with_developer(group)


def _swap_with_developer(owner: int) -> list[IdRange]:
    low, high = sorted((owner, DEVELOPER_ID))
    ranges = [(0, 0, low), (low, high, 1), (low + 1, low + 1, high - low - 1), (high, low, 1)]
    if owner == DEVELOPER_ID:
        ranges = [(0, 0, high + 1)]
    ranges.append((high + 1, high + 1, _IDS - high - 1))
    return [entry for entry in ranges if entry[2] > 0]


def _filesystem(kind: str, target: str, flags: int, options: str = "", *, optional: bool = False) -> Operation:
    return "filesystem", {"kind": kind, "target": target, "flags": flags, "options": options, "optional": optional}


def _bind(
    source: str,
    target: str,
    *,
    read_only: bool,
    recursive: bool = False,
    devices: bool = False,
    idmap: IdMap | None = None,
) -> Operation:
    return "bind", {
        "source": source,
        "target": target,
        "read_only": read_only,
        "recursive": recursive,
        "devices": devices,
        "idmap": idmap,
    }


def _environment(spec: ContainerSpec, facts: HostFacts, *, terminal: bool) -> list[str]:
    """Later entries win: defaults, the image's and the user's, then what the mode needs."""
    defaults = [f"PATH={DEFAULT_PATH}", f"HOSTNAME={hostname_of(spec, facts)}"]
    if terminal:
        defaults.append("TERM=xterm")
    if facts.identity.mode == "single":
        defaults.append(f"APT_CONFIG={_APT_SETTINGS}")
    return [*defaults, *facts.extra_environment, *spec.environment]


def _limit(name: str, soft: int, hard: int) -> tuple[int, int, int]:
    number = getattr(resource, f"RLIMIT_{name.upper()}", None)
    if number is None:
        raise EngineError(f"invalid ulimit type: {name}")
    return number, soft, hard
