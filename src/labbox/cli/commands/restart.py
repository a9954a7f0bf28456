"""`labbox restart`."""

from labbox.cli.commands.stop import STOP_FLAGS, read_stop_flags
from labbox.cli.failures import for_each
from labbox.cli.flags import Arguments, Command
from labbox.cli.session import open_engine
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import EngineError

COMMAND = Command(
    name="restart",
    usage="CONTAINER [CONTAINER...]",
    summary="Restart one or more containers",
    flags=STOP_FLAGS,
    minimum=1,
    aliases=("container restart",),
)


def execute(arguments: Arguments) -> int:
    """Stop containers where they run, start them again, and print their names."""
    engine = open_engine()
    signal, timeout = read_stop_flags(arguments)
    return for_each(arguments.positionals, lambda name: _restart(engine, name, signal, timeout))


def _restart(engine: EmbeddedEngine, name: str, signal: int | None, timeout: float | None) -> None:
    container = engine.find(name)
    if container.is_running:
        engine.stop(container, timeout_seconds=timeout, number=signal)
        container = engine.find(name)
    connection, failure = engine.start(container)
    with connection:
        if failure is not None:
            raise EngineError(failure.message, exit_code=1)
