"""What a container is to be, as values: parsed once at the edge, stored beside the container, read by the engine.

Sizes are bytes, times are RFC 3339 strings in UTC, ids are container ids unless a name says `host`.
"""

from labbox.errors import EngineError
from labbox.lightweight_typing import Any, Literal, NamedTuple

SPECIFICATION_VERSION = 1

MountKind = Literal["bind", "volume", "tmpfs"]
Protocol = Literal["tcp", "udp"]
RestartName = Literal["no", "on-failure", "always", "unless-stopped"]


class Mount(NamedTuple):
    """One thing mounted over the image. `source` is an absolute host path for `bind`, a name for `volume`.

    `idmapped`: files of the source's owner belong to `developer` inside, and the reverse (mode root only).
    """

    kind: MountKind
    target: str
    source: str = ""
    read_only: bool = False
    recursive: bool = True
    size_bytes: int = 0
    mode: int = 0o1777
    options: tuple[str, ...] = ()
    no_copy: bool = False
    idmapped: bool = False


class PortBinding(NamedTuple):
    """A port of the container published on the host; `host_port` 0 lets the kernel choose.

    `shared` answers to everyone; else a loopback binding answers to its owner only.
    """

    container_port: int
    protocol: Protocol = "tcp"
    host_address: str = "127.0.0.1"
    host_port: int = 0
    shared: bool = False


class Ulimit(NamedTuple):
    """A resource limit by its setrlimit(2) name in lower case (`nofile`); -1 is unlimited."""

    name: str
    soft: int
    hard: int


class RestartPolicy(NamedTuple):
    """When the monitor starts the container again; `maximum` 0 means without end."""

    name: RestartName = "no"
    maximum: int = 0


class Resources(NamedTuple):
    """Limits enforced through cgroups; 0 means none."""

    memory_bytes: int = 0
    memory_swap_bytes: int = 0
    cpus: float = 0.0
    pids: int = 0


class Security(NamedTuple):
    """What the container's processes may do. Capability names stand without `CAP_`."""

    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    no_new_privileges: bool = False
    seccomp: str = "default"  # "default", "unconfined", or a profile as JSON text
    unmask_system_paths: bool = False


class GpuRequest(NamedTuple):
    """Which GPUs: `number` -1 means all; `device_ids` are indexes, UUIDs or CDI names."""

    number: int = 0
    device_ids: tuple[str, ...] = ()


class ContainerSpec(NamedTuple):
    """A container, whole. `command` is the argument list that is executed, `entrypoint` and `arguments` its parts."""

    id: str
    name: str
    image: str
    image_id: str
    diff_ids: tuple[str, ...]
    created: str
    command: tuple[str, ...]
    entrypoint: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    group_add: tuple[str, ...] = ()
    hostname: str = ""
    domainname: str = ""
    terminal: bool = False
    open_stdin: bool = False
    attach: tuple[str, ...] = ("stdout", "stderr")
    init: bool = True
    auto_remove: bool = False
    read_only: bool = False
    mounts: tuple[Mount, ...] = ()
    network: str = "auto"  # "auto", "host", "none"
    ports: tuple[PortBinding, ...] = ()
    exposed_ports: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    ulimits: tuple[Ulimit, ...] = ()
    shm_bytes: int = 0
    resources: Resources = Resources()
    security: Security = Security()
    gpus: GpuRequest | None = None
    stop_signal: str = "SIGTERM"
    stop_timeout_seconds: int = 10
    restart: RestartPolicy = RestartPolicy()
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()


class ExecSpec(NamedTuple):
    """One more command in a running container."""

    command: tuple[str, ...]
    environment: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    terminal: bool = False
    open_stdin: bool = False
    privileged: bool = False
    detach: bool = False


Status = Literal["created", "running", "restarting", "exited"]


class ContainerState(NamedTuple):
    """What has become of a container. Process numbers are the host's; 0 when there is none."""

    status: Status = "created"
    pid: int = 0
    start_ticks: int = 0
    boot_id: str = ""
    monitor_pid: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_at: str = ""
    finished_at: str = ""
    restart_count: int = 0
    stopped_by_user: bool = False
    mode: str = ""
    ports: tuple[PortBinding, ...] = ()


def spec_to_document(spec: ContainerSpec) -> dict[str, Any]:
    """The JSON document that `spec_from_document` reads."""
    document = spec._asdict()
    for name, value in document.items():
        if hasattr(value, "_asdict"):
            document[name] = value._asdict()
        elif isinstance(value, tuple) and value and hasattr(value[0], "_asdict"):
            document[name] = [entry._asdict() for entry in value]
    return {"version": SPECIFICATION_VERSION, **document}


def spec_from_document(document: dict[str, Any]) -> ContainerSpec:
    """Read what `spec_to_document` wrote; EngineError when it comes from a newer labbox."""
    fields = dict(document)
    version = fields.pop("version", None)
    if version != SPECIFICATION_VERSION:
        raise EngineError(f"container configuration has version `{version}`, this labbox reads {SPECIFICATION_VERSION}")
    lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return ContainerSpec(**{
        **fields,
        **lists,
        "mounts": tuple(Mount(**{**entry, "options": tuple(entry["options"])}) for entry in fields["mounts"]),
        "ports": _ports(fields["ports"]),
        "ulimits": tuple(Ulimit(**entry) for entry in fields["ulimits"]),
        "labels": tuple((key, value) for key, value in fields["labels"]),
        "annotations": tuple((key, value) for key, value in fields["annotations"]),
        "resources": Resources(**fields["resources"]),
        "security": _security(fields["security"]),
        "gpus": _gpus(fields["gpus"]),
        "restart": RestartPolicy(**fields["restart"]),
    })  # fmt: skip


def state_to_document(state: ContainerState) -> dict[str, Any]:
    """The JSON document that `state_from_document` reads."""
    return {"version": SPECIFICATION_VERSION, **state._asdict(), "ports": [port._asdict() for port in state.ports]}


def state_from_document(document: dict[str, Any]) -> ContainerState:
    """Read what `state_to_document` wrote."""
    fields = dict(document)
    fields.pop("version", None)
    return ContainerState(**{**fields, "ports": _ports(fields["ports"])})


def _ports(entries: list[dict[str, Any]]) -> tuple[PortBinding, ...]:
    return tuple(PortBinding(**entry) for entry in entries)


def _gpus(entry: dict[str, Any] | None) -> GpuRequest | None:
    return None if entry is None else GpuRequest(entry["number"], tuple(entry["device_ids"]))


def _security(entry: dict[str, Any]) -> Security:
    return Security(**{**entry, "cap_add": tuple(entry["cap_add"]), "cap_drop": tuple(entry["cap_drop"])})
