"""A definition: what a lab is to have, as the researcher wrote it, wherever it was written."""

from dataclasses import dataclass, field

DEFAULT_SYSTEM = "debian:13"


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonRequest:
    """The Python packages that are wanted.

    `packages` are requirement lines (PEP 508), `files` requirements files (pip's format) relative to the project
    folder; `project` says that pyproject.toml, with uv.lock where there is one, lists them. `version` is `3.13`, or
    None for the system's own.
    """

    version: str | None = None
    packages: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    project: bool = False
    groups: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """How one sees that a service answers: an HTTP path on its port, or a connection to the port alone."""

    path: str | None = None
    timeout_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomService:
    """A program of the researcher's own; `command` is a list of words, or one line for the shell in a list of one."""

    name: str
    command: tuple[str, ...]
    shell: bool = False
    port: int | None = None
    health: HealthCheck = field(default_factory=HealthCheck)
    environment: tuple[tuple[str, str], ...] = ()
    folder: str = "/workspace"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicesRequest:
    """The services that are wanted. `tensorboard` is the log folder (relative to the project folder), None for none."""

    jupyter: bool = True
    tensorboard: str | None = "logs"
    ssh: bool = False
    desktop: bool = False
    custom: tuple[CustomService, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRequest:
    """How the lab's container is started. `mounts` and `ports` are written as docker's -v and -p; sizes are bytes."""

    gpus: str | None = "auto"
    memory_bytes: int = 0
    cpus: float = 0.0
    shm_bytes: int = 0
    environment: tuple[tuple[str, str], ...] = ()
    mounts: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    network: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A lab as it was asked for.

    `system` is a Debian release (`debian:13`), an image reference, or the path of a Dockerfile that starts with `./`.
    `sources` are the files that were read, the chosen one first; `notes` say what was ignored or not understood, one
    sentence each. `after_create` are shell lines run once in a new container.
    """

    name: str
    system: str = DEFAULT_SYSTEM
    system_packages: tuple[str, ...] = ()
    python: PythonRequest = field(default_factory=PythonRequest)
    services: ServicesRequest = field(default_factory=ServicesRequest)
    container: ContainerRequest = field(default_factory=ContainerRequest)
    after_create: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
