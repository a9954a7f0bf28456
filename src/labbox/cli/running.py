"""`labbox run` once its monitor is under way: image, container, start, and staying with it."""

from labbox.actions.create import ContainerRequest, create_container
from labbox.cli.attaching import carry, check_terminal, exit_code_of, read_detach_keys
from labbox.cli.container_request import read_attached_streams, read_request
from labbox.cli.failures import EngineFailures
from labbox.cli.flags import Arguments
from labbox.cli.images_for_containers import get_image
from labbox.cli.report import print_failure
from labbox.cli.session import open_engine
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.launch import Launch
from labbox.engine.embedded.records import Container
from labbox.errors import LabboxError


def run_container(arguments: Arguments, launch: Launch) -> int:
    """Create a container, start it, and stay with it until it ends unless it is detached."""
    detached = arguments.switch("detach")
    if detached and arguments.is_set("attach"):
        raise LabboxError("conflicting options: cannot specify both --attach and --detach")
    streams = read_attached_streams(arguments, detached=detached)
    with EngineFailures():
        request = read_request(arguments)
        detach_keys = read_detach_keys(arguments)
    check_terminal(terminal=request.spec.terminal, stdin="stdin" in streams)
    with EngineFailures():
        engine = open_engine(launch)
        container = create_from_command_line(engine, arguments, request)
        return _start(engine, container, arguments, streams, detach_keys)


def create_from_command_line(engine: EmbeddedEngine, arguments: Arguments, request: ContainerRequest) -> Container:
    """The container that the command line asks for, its id written where `--cidfile` says."""
    id_file = _reserve_id_file(arguments.text("cidfile"))
    image = get_image(
        engine.settings,
        request.spec.image,
        pull=arguments.text("pull") or "missing",
        platform=arguments.text("platform"),
        quiet=arguments.switch("quiet"),
    )
    container = create_container(engine, request, image)
    if request.spec.ports and request.spec.network in {"host", "none"}:
        from labbox.cli.output import note  # only this mistake needs it

        note(f"WARNING: Published ports are discarded when using {request.spec.network} network mode")
    if id_file is not None:
        with open(id_file, "x", encoding="ascii") as file:
            file.write(container.spec.id)
    return container


def _start(
    engine: EmbeddedEngine, container: Container, arguments: Arguments, streams: tuple[str, ...], detach_keys: bytes
) -> int:
    terminal = container.spec.terminal
    outputs = tuple(stream for stream in streams if stream != "stdin")
    try:
        connection, failure = engine.start(container, attach=outputs, stdin="stdin" in streams)
    except (LabboxError, OSError):
        _forget(engine, container)
        raise
    with connection:
        if failure is not None:
            print_failure(failure.message, None)
            _forget(engine, container)
            return failure.code
        if not streams:
            print(container.spec.id)
            return 0
        outcome = carry(
            connection,
            streams=streams,
            terminal=terminal,
            detach_keys=detach_keys,
            proxy_signals=arguments.switch("sig-proxy") and not terminal,
        )
    return exit_code_of(outcome, engine, container)


def _forget(engine: EmbeddedEngine, container: Container) -> None:
    """A container that cannot start, for want of a port or a folder, leaves nothing behind."""
    try:
        engine.remove(engine.find(container.spec.id), force=True, volumes=True)
    except LabboxError:
        return


def _reserve_id_file(path: str | None) -> str | None:
    if path is None:
        return None
    import os

    if os.path.exists(path):
        raise LabboxError(f"container ID file found, make sure the other container isn't running or delete {path}")
    return path
