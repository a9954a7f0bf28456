"""labbox.toml, and [tool.labbox] in pyproject.toml: one definition, every fault at once."""

import tomllib
from collections.abc import Iterator
from typing import Any

from labbox.definition.faults import Faults, join
from labbox.definition.keys import LABBOX_FILE, homes_of_keys
from labbox.definition.names import make_lab_name
from labbox.definition.notation import WORKSPACE, published_host_ports
from labbox.definition.systems import system_with_python
from labbox.definition.values import (
    DEFAULT_SYSTEM,
    ContainerRequest,
    CustomService,
    Definition,
    HealthCheck,
    PythonRequest,
    ServicesRequest,
)
from labbox.errors import UsageError

# The ports of labbox's own services inside the lab.
SERVICE_PORTS = {"jupyter": 8888, "tensorboard": 6006, "ssh": 22, "desktop": 6080}
_DEFAULT_SERVICES = ServicesRequest()

Found = dict[str, Any]


def parse_toml(text: str, file_name: str) -> dict[str, Any]:
    """The document of a TOML file; raises UsageError with the place of the fault."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise UsageError(f"cannot read `{file_name}` as TOML: {reason}") from error
    except ValueError as error:  # a number or a date that Python has no value for
        raise UsageError(f"cannot read `{file_name}` as TOML: {error}") from error


def read_labbox_table(
    document: object, *, file_name: str, path: str = "", default_name: str, has_project: bool = False
) -> Definition:
    """The definition that a labbox file's tables make; `path` is where they stand in the file.

    `has_project`: the file lists Python packages of its own (pyproject.toml), which are wanted unless it says no.
    """
    faults = Faults({name: f"{path}.{home}" if path else home for name, home in homes_of_keys().items()})
    found: Found = LABBOX_FILE.read(document, path, faults) or {}
    sections = {name: found.get(name) or {} for name in ("lab", "packages", "services", "container")}
    _check_services(sections["services"], join(path, "services"), faults)
    _check_ports(sections["container"], join(path, "container"), faults)
    faults.raise_if_any(file_name)
    return _build(sections, file_name=file_name, default_name=default_name, has_project=has_project)


def _build(sections: dict[str, Found], *, file_name: str, default_name: str, has_project: bool) -> Definition:
    lab, container = sections["lab"], sections["container"]
    python = _build_python(lab, sections["packages"], has_project=has_project)
    notes = []
    name = make_lab_name(lab.get("name", default_name))
    if name != lab.get("name", name):
        notes.append(f"The lab is called `{name}`, because a name has only lower-case letters, digits, -, _ and dots.")
    system, note = (lab["system"], "") if "system" in lab else system_with_python(python.version, file_name)
    return Definition(
        name=name,
        system=system or DEFAULT_SYSTEM,
        system_packages=_once(sections["packages"].get("system", ())),
        python=python,
        services=_build_services(sections["services"]),
        container=_build_container(container),
        after_create=container.get("after_create", ()),
        sources=(file_name,),
        notes=(*notes, note) if note else tuple(notes),
    )


def _build_python(lab: Found, packages: Found, *, has_project: bool) -> PythonRequest:
    groups = packages.get("groups", ())
    return PythonRequest(
        version=lab.get("python"),
        packages=_once(packages.get("python", ())),
        files=_once(packages.get("requirements", ())),
        project=packages.get("project", has_project or bool(groups)),
        groups=_once(groups),
        indexes=_once(packages.get("indexes", ())),
        find_links=_once(packages.get("find_links", ())),
    )


def _build_services(services: Found) -> ServicesRequest:
    tensorboard = services.get("tensorboard", True)
    folder = tensorboard.get("logdir") if isinstance(tensorboard, dict) else None
    is_on = _is_on(services, "tensorboard", default=True)
    return ServicesRequest(
        jupyter=_is_on(services, "jupyter", default=_DEFAULT_SERVICES.jupyter),
        tensorboard=(folder or _DEFAULT_SERVICES.tensorboard) if is_on else None,
        ssh=_is_on(services, "ssh", default=_DEFAULT_SERVICES.ssh),
        desktop=_is_on(services, "desktop", default=_DEFAULT_SERVICES.desktop),
        custom=tuple(_build_service(name, found) for name, found in services.items() if name not in SERVICE_PORTS),
    )


def _build_service(name: str, found: Found) -> CustomService:
    command = found["command"]
    health = found.get("health") or {}
    check = {"path": health} if isinstance(health, str) else health
    return CustomService(
        name=name,
        command=(command,) if isinstance(command, str) else command,
        shell=isinstance(command, str),
        port=found.get("port"),
        health=HealthCheck(
            path=check.get("path"), timeout_seconds=float(check.get("timeout", HealthCheck().timeout_seconds))
        ),
        environment=found.get("environment", ()),
        folder=found.get("folder", WORKSPACE),
    )


def _build_container(container: Found) -> ContainerRequest:
    gpus = container.get("gpus", "auto")
    return ContainerRequest(
        gpus=None if gpus == "none" else gpus,
        memory_bytes=container.get("memory", 0),
        cpus=float(container.get("cpus", 0)),
        shm_bytes=container.get("shm_size", 0),
        environment=container.get("environment", ()),
        mounts=_once(container.get("mounts", ())),
        ports=_once(container.get("ports", ())),
        network=container.get("network", "auto"),
    )


def _check_services(services: Found, path: str, faults: Faults) -> None:
    taken: dict[int, str] = {}
    for name, port in _ports_of(services):
        if port in taken:
            here = join(path, name) if name in SERVICE_PORTS else f"{join(path, name)}.port"
            faults.add(here, f"port {port} is taken by the service `{taken[port]}`")
        taken.setdefault(port, name)
    for name, found in services.items():
        needs_port = name not in SERVICE_PORTS and isinstance(found, dict) and "port" not in found
        health = found.get("health") if needs_port else None
        if isinstance(health, str) or (isinstance(health, dict) and "path" in health):
            faults.add(f"{join(path, name)}.health", "a path needs the `port` that answers it")


def _ports_of(services: Found) -> Iterator[tuple[str, int]]:
    """Every service's port, labbox's own services first."""
    for name, port in SERVICE_PORTS.items():
        if _is_on(services, name, default=name in ("jupyter", "tensorboard")):
            yield name, port
    for name, found in services.items():
        own_port = found.get("port") if name not in SERVICE_PORTS and isinstance(found, dict) else None
        if own_port:
            yield name, own_port


def _check_ports(container: Found, path: str, faults: Faults) -> None:
    taken: set[tuple[int, str]] = set()
    for position, text in enumerate(container.get("ports") or ()):
        ports = published_host_ports(text) if text else set()
        for port, protocol in sorted(ports & taken)[:1]:
            faults.add(f"{path}.ports[{position}]", f"port {port}/{protocol} of the host is published twice")
        taken |= ports


def _is_on(services: Found, name: str, *, default: bool) -> bool:
    value = services.get(name, default)
    return bool(value.get("enabled", True)) if isinstance(value, dict) else bool(value)


def _once(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
