"""A lab's container: specified from its definition, made anew when that changes, started again when it only stopped."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from labbox.actions.create import ContainerRequest, complete_spec
from labbox.actions.lab.record import LabFolder, LabRecord
from labbox.certificates import ca_bundle_variables
from labbox.definition.values import Definition
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.host import Host
from labbox.engine.embedded.records import Container, check_name, write_spec
from labbox.engine.embedded.removal import is_anonymous
from labbox.engine.embedded.volumes import volume_at
from labbox.engine.notation.ports import LOCAL_ADDRESS, parse_published
from labbox.engine.notation.volumes import parse_volume
from labbox.engine.specification import ContainerSpec, GpuRequest, Mount, PortBinding, Resources
from labbox.errors import ConflictError, EngineError, NotFoundError, UsageError
from labbox.linux.idmap import DEVELOPER_ID, run_mapped
from labbox.oci.digest import Digest
from labbox.store.images import StoredImage

WORKSPACE = "/workspace"
RUN = "/run/labbox"
CERTIFICATES = f"{RUN}/ca.crt"
LABEL = "org.labbox.lab"
FOLDER_LABEL = "org.labbox.lab.folder"
KEY_LABEL = "org.labbox.lab.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabContainer:
    """What a lab's container is made of."""

    definition: Definition
    project: str
    folder: LabFolder
    image: StoredImage
    image_name: str
    derived: tuple[Digest, ...]
    service_ports: Mapping[str, int]
    host_ports: Mapping[str, int]
    has_certificates: bool
    has_gpu: bool


def specify(engine: EmbeddedEngine, lab: LabContainer) -> ContainerSpec:
    """The container's specification, with labels that say whose it is and from what it was made."""
    options = lab.definition.container
    spec = ContainerSpec(
        id="",
        name=check_name(lab.definition.name),
        image=lab.image_name,
        image_id="",
        diff_ids=(),
        created="",
        command=(),
        environment=_environment(lab),
        hostname=_hostname(lab.definition.name),
        mounts=_mounts(lab),
        network=options.network,
        ports=_ports(lab),
        shm_bytes=options.shm_bytes,
        resources=Resources(memory_bytes=options.memory_bytes, cpus=options.cpus),
        gpus=_gpus(lab),
        stop_timeout_seconds=10,
    )
    spec = complete_spec(engine, ContainerRequest(spec=spec), lab.image)
    spec = spec._replace(diff_ids=(*spec.diff_ids, *map(str, lab.derived)))
    labels = {**dict(spec.labels), LABEL: lab.definition.name, FOLDER_LABEL: lab.project, KEY_LABEL: _key(spec)}
    return spec._replace(labels=tuple(sorted(labels.items())))


def check_container(engine: EmbeddedEngine, definition: Definition, project: str, record: LabRecord) -> None:
    """Refuse, before anything is built, what the container could not be made of: another's name, a missing folder.

    Raises ConflictError, EngineError or UsageError.
    """
    _own_mounts(definition, project)
    namesake = find_container(engine, definition.name)
    if namesake is None or namesake.spec.name != definition.name or _is_of_vanished_folder(namesake):
        return
    if namesake.spec.id != record.container_id:
        raise _taken(namesake)


def find_container(engine: EmbeddedEngine, container_id: str) -> Container | None:
    """The lab's container as it stands now, or None when it is gone."""
    if not container_id:
        return None
    try:
        return engine.find(container_id)
    except NotFoundError:
        return None


def is_same(container: Container, spec: ContainerSpec) -> bool:
    """True when the container was made from the very same specification, whatever its host ports."""
    return dict(container.spec.labels).get(KEY_LABEL) == dict(spec.labels).get(KEY_LABEL)


def replace_container(engine: EmbeddedEngine, old: Container | None, spec: ContainerSpec) -> Container:
    """The new container in the place of the old one, whose files are gone; named volumes stay."""
    if old is not None:
        _remove(engine, old)
    namesake = find_container(engine, spec.name)
    if namesake is not None and namesake.spec.name == spec.name and _is_of_vanished_folder(namesake):
        _remove(engine, namesake)
    give_volumes(engine, spec)
    return engine.create(spec)


def give_volumes(engine: EmbeddedEngine, spec: ContainerSpec) -> None:
    """Make the named volumes that do not exist yet, developer's own, where docker's would be root's."""
    for mount in spec.mounts:
        if mount.kind != "volume" or is_anonymous(mount.source):
            continue
        data = volume_at(engine.settings.volumes_dir, mount.source).data
        if os.path.isdir(data):
            continue
        Host(engine.settings, engine.identity).make_volume(mount.source)
        if engine.identity.mode != "single":  # there the one id is developer's
            run_mapped(engine.identity, partial(os.chown, data, DEVELOPER_ID, DEVELOPER_ID))


def start_container(engine: EmbeddedEngine, container: Container, ports: Sequence[PortBinding]) -> None:
    """Start a lab's container on these host ports; EngineError when it does not."""
    if tuple(container.spec.ports) != tuple(ports):
        container = write_spec(container, container.spec._replace(ports=tuple(ports)))
    connection, failure = engine.start(container)
    with connection:
        if failure is not None:
            raise EngineError(failure.message)


def _taken(namesake: Container) -> ConflictError:
    name = namesake.spec.name
    return ConflictError(
        f"a container named `{name}` exists that is not this lab's{_whose(namesake)}",
        hint=f"remove it (labbox rm {name}), rename it, or give the lab another name: labbox up --name NAME",
    )


def _remove(engine: EmbeddedEngine, container: Container) -> None:
    if container.is_running:
        engine.stop(container)
        container = engine.find(container.spec.id)
    engine.remove(container, force=True, volumes=True)


def _is_of_vanished_folder(container: Container) -> bool:
    """True when it is the container of a lab whose folder was moved or deleted."""
    folder = dict(container.spec.labels).get(FOLDER_LABEL)
    return folder is not None and not os.path.lexists(folder)


def _whose(container: Container | None) -> str:
    folder = dict(container.spec.labels).get(FOLDER_LABEL) if container else None
    return f", but that of `{folder}`" if folder else ""


def _key(spec: ContainerSpec) -> str:
    """What makes two containers of a lab the same; host ports may move, anonymous volumes are called anything."""
    document = spec._replace(
        id="",
        created="",
        labels=(),
        ports=tuple(port._replace(host_port=0) for port in spec.ports),
        mounts=tuple(mount._replace(source="") if is_anonymous(mount.source) else mount for mount in spec.mounts),
    )
    return hashlib.sha256(json.dumps(document).encode()).hexdigest()


def _environment(lab: LabContainer) -> tuple[str, ...]:
    own = dict(lab.definition.container.environment)
    if lab.has_certificates:
        given = dict(entry.split("=", 1) for entry in ca_bundle_variables(CERTIFICATES))
        own = {**given, **own}
    return tuple(f"{name}={value}" for name, value in own.items())


def _hostname(name: str) -> str:
    """A host name may hold letters, digits and hyphens (RFC 1123)."""
    return name.replace("_", "-").replace(".", "-")[:63].strip("-")


def _mounts(lab: LabContainer) -> tuple[Mount, ...]:
    mounts = [
        Mount(kind="bind", source=lab.project, target=WORKSPACE, idmapped=True),
        Mount(kind="bind", source=lab.folder.run, target=RUN, idmapped=True),
    ]
    return (*mounts, *_own_mounts(lab.definition, lab.project))


def _own_mounts(definition: Definition, project: str) -> list[Mount]:
    """The mounts of the definition; UsageError or EngineError naming one that cannot be."""
    mounts = []
    for text in definition.container.mounts:
        mount = parse_volume(_absolute(text, project))
        if mount.target in (WORKSPACE, RUN):
            raise UsageError(f"container.mounts: `{text}`: `{mount.target}` is labbox's own")
        if mount.kind == "bind" and not os.path.exists(mount.source):
            raise EngineError(
                f"container.mounts: `{text}`: `{mount.source}` does not exist", hint=f"make it: mkdir -p {mount.source}"
            )
        mounts.append(mount._replace(idmapped=mount.kind == "bind" and not mount.read_only))
    return mounts


def _absolute(text: str, project: str) -> str:
    """A mount whose source may begin with `~` or be relative to the project folder."""
    source, colon, rest = text.partition(":")
    if source == "~" or source.startswith("~/"):
        source = os.path.expanduser(source)
    elif source in (".", "..") or source.startswith(("./", "../")):
        source = os.path.normpath(os.path.join(project, source))
    return source + colon + rest


def _ports(lab: LabContainer) -> tuple[PortBinding, ...]:
    if lab.definition.container.network != "auto":
        return ()
    services = [
        PortBinding(container_port=inside, host_address=LOCAL_ADDRESS, host_port=lab.host_ports[name])
        for name, inside in lab.service_ports.items()
    ]
    own = [binding for text in lab.definition.container.ports for binding in parse_published(text)]
    return tuple(dict.fromkeys((*services, *own)))


def _gpus(lab: LabContainer) -> GpuRequest | None:
    wanted = lab.definition.container.gpus
    if wanted is None or (wanted == "auto" and not lab.has_gpu):
        return None
    if wanted in ("auto", "all"):
        return GpuRequest(number=-1)
    if wanted.isdigit():
        return GpuRequest(number=int(wanted))
    return GpuRequest(device_ids=tuple(wanted.removeprefix("device=").split(",")))
