"""`labbox kill`."""

from labbox.actions.signals import parse_signal
from labbox.cli.failures import for_each
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.session import open_engine
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import LabboxError

COMMAND = Command(
    name="kill",
    usage="CONTAINER [CONTAINER...]",
    summary="Kill one or more running containers",
    flags=(Flag("signal", "string", "Signal to send to the container", short="s", default="KILL"),),
    minimum=1,
    aliases=("container kill",),
)


def execute(arguments: Arguments) -> int:
    """Send a signal to containers and print their names."""
    engine = open_engine()
    number = parse_signal(arguments.text("signal") or "KILL")
    return for_each(arguments.positionals, lambda name: _kill(engine, name, number))


def _kill(engine: EmbeddedEngine, name: str, number: int) -> None:
    try:
        engine.kill(engine.find(name), number)
    except LabboxError as error:
        error.message = f"Cannot kill container: {name}: {error.message}"
        raise
