"""`labbox restart`."""

from labbox.cli.commands.stop import STOP_FLAGS, read_stop_flags
from labbox.cli.failures import for_each
from labbox.cli.flags import Arguments, Command, check_count
from labbox.cli.session import open_engine
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import EngineError, NotFoundError

COMMAND = Command(
    name="restart",
    usage="CONTAINER [CONTAINER...]",
    summary="Restart one or more containers",
    flags=STOP_FLAGS,
    aliases=("container restart",),
    description="In a project folder with a lab, CONTAINER may be a service of it, or be left out for the whole lab.",
)


def execute(arguments: Arguments) -> int:
    """Stop containers where they run, start them again, and print their names."""
    engine = open_engine()
    signal, timeout = read_stop_flags(arguments)
    names = arguments.positionals or _lab_here()
    if not names:
        check_count(COMMAND._replace(minimum=1), 0)
    return for_each(names, lambda name: _restart(engine, name, signal, timeout))


def _restart(engine: EmbeddedEngine, name: str, signal: int | None, timeout: float | None) -> None:
    try:
        container = engine.find(name)
    except NotFoundError:
        if not _restart_service(name):
            raise
        return
    if container.is_running:
        engine.stop(container, timeout_seconds=timeout, number=signal)
        container = engine.find(name)
    connection, failure = engine.start(container)
    with connection:
        if failure is not None:
            raise EngineError(failure.message, exit_code=1)


def _lab_here() -> tuple[str, ...]:
    """The container of the lab one is in."""
    from labbox.cli.lab_here import lab_here

    try:
        _, record = lab_here()
    except NotFoundError:
        return ()
    return (record.container_id,) if record.container_id else ()


def _restart_service(name: str) -> bool:
    """Restart a service of the lab one is in; False when there is none of this name."""
    from labbox.cli.lab_here import lab_here
    from labbox.services.status import read_status, restart_service

    try:
        lab, _ = lab_here()
    except NotFoundError:
        return False
    if name not in {state.name for state in read_status(lab.status)}:
        return False
    state = restart_service(lab.run, name, lambda *_: None)
    if state.state != "ready":
        raise EngineError(
            f"service `{name}` does not run: {state.exit or state.health}", hint=f"labbox logs {name}", exit_code=1
        )
    return True
