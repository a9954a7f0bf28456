"""`labbox create`: a container from an image and what was asked for; it does not run yet."""

import os

from labbox.actions.container_names import invent_name
from labbox.actions.prepare_layers import prepare_layers
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container, check_name
from labbox.engine.embedded.timestamps import now_text
from labbox.engine.specification import ContainerSpec, Mount, PortBinding
from labbox.errors import ConflictError, UsageError
from labbox.lightweight_typing import NamedTuple
from labbox.store.images import StoredImage

_NAME_ATTEMPTS = 20


class ContainerRequest(NamedTuple):
    """What is asked for: `spec` without what only the image knows; the rest is decided together with the image.

    `share` lets everyone use ports published without an address. `entrypoint` None keeps the image's, an empty one
    removes it.
    """

    spec: ContainerSpec
    arguments: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    publish_all: bool = False
    share: bool = False
    volumes_from: tuple[str, ...] = ()
    stop_signal: str | None = None


def create_container(engine: EmbeddedEngine, request: ContainerRequest, image: StoredImage) -> Container:
    """Write a new container; raises ConflictError when its name is taken, and leaves nothing behind then."""
    prepare_layers(engine, image)
    spec = complete_spec(engine, request, image)
    if spec.name:
        return engine.create(spec._replace(name=check_name(spec.name)))
    for attempt in range(_NAME_ATTEMPTS):
        try:
            return engine.create(spec._replace(name=invent_name(attempt)))
        except ConflictError:
            continue
    raise ConflictError("no free container name found", hint="give one with --name")


def complete_spec(engine: EmbeddedEngine, request: ContainerRequest, image: StoredImage) -> ContainerSpec:
    """The whole specification: what was asked for, over what the image says."""
    spec, config = request.spec, image.config
    entrypoint, arguments = choose_command(request, image)
    exposed = tuple(dict.fromkeys((*config.exposed_ports, *spec.exposed_ports, *_published_names(spec))))
    spec = spec._replace(
        id=os.urandom(32).hex(),
        image_id=str(image.id),
        diff_ids=tuple(map(str, image.diff_ids)),
        created=now_text(),
        command=(*entrypoint, *arguments),
        entrypoint=entrypoint,
        arguments=arguments,
        environment=merge_environment(spec.environment, config.environment),
        working_dir=spec.working_dir or config.working_dir,
        user=spec.user or config.user,
        exposed_ports=exposed,
        labels=tuple(sorted({**config.labels, **dict(spec.labels)}.items())),
        stop_signal=_stop_signal(request.stop_signal or config.stop_signal),
    )
    if request.publish_all:
        spec = spec._replace(ports=(*spec.ports, *_publish_exposed(spec, shared=request.share)))
    return spec._replace(mounts=_complete_mounts(engine, request, image))


def choose_command(request: ContainerRequest, image: StoredImage) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Entrypoint and arguments by docker's rule: a new entrypoint drops the image's arguments; UsageError for none."""
    config = image.config
    if request.entrypoint is None:
        entrypoint = config.entrypoint or ()
        arguments = request.arguments or config.cmd or ()
    else:
        entrypoint, arguments = request.entrypoint, request.arguments
    if not entrypoint and not arguments:
        raise UsageError("No command specified", hint="name the command to run after the image")
    return entrypoint, arguments


def merge_environment(own: tuple[str, ...], inherited: tuple[str, ...]) -> tuple[str, ...]:
    """The variables of the command line, the last of each name, and those of the image that it does not set."""
    names = {entry.partition("=")[0]: entry for entry in own}
    return (*names.values(), *(entry for entry in inherited if entry.partition("=")[0] not in names))


def _stop_signal(text: str) -> str:
    if text in ("", "SIGTERM"):
        return "SIGTERM"
    from labbox.actions.signals import parse_signal, signal_name  # noqa: PLC0415  (SIGTERM is the rule)

    return signal_name(parse_signal(text))


def _published_names(spec: ContainerSpec) -> list[str]:
    return [f"{binding.container_port}/{binding.protocol}" for binding in spec.ports]


def _publish_exposed(spec: ContainerSpec, *, shared: bool) -> list[PortBinding]:
    published = set(_published_names(spec))
    bindings = [_any_host_port(entry) for entry in spec.exposed_ports if entry not in published]
    return [binding._replace(host_address="0.0.0.0", shared=True) for binding in bindings] if shared else bindings


def _any_host_port(entry: str) -> PortBinding:
    port, _, protocol = entry.partition("/")
    return PortBinding(container_port=int(port), protocol="udp" if protocol == "udp" else "tcp")


def _complete_mounts(engine: EmbeddedEngine, request: ContainerRequest, image: StoredImage) -> tuple[Mount, ...]:
    """What was asked for, then volumes of other containers, then the image's own; a target is taken once."""
    mounts = {mount.target: mount for mount in request.spec.mounts}
    for text in request.volumes_from:
        for mount in _volumes_of(engine, text):
            mounts.setdefault(mount.target, mount)
    for target in image.config.volumes:
        mounts.setdefault(target, Mount(kind="volume", target=target))
    return tuple(_with_source(mount) for mount in mounts.values())


def _with_source(mount: Mount) -> Mount:
    """An anonymous volume is named by 64 hexadecimal digits, by which the engine knows it."""
    return mount._replace(source=os.urandom(32).hex()) if mount.kind == "volume" and not mount.source else mount


def _volumes_of(engine: EmbeddedEngine, text: str) -> list[Mount]:
    name, _, mode = text.partition(":")
    if mode not in ("", "rw", "ro"):
        raise UsageError(f"invalid mode: {mode}")
    mounts = [mount for mount in engine.find(name).spec.mounts if mount.kind != "tmpfs"]
    return [mount._replace(read_only=True) if mode == "ro" else mount for mount in mounts]
