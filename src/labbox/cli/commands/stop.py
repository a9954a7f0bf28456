"""`labbox stop`."""

from labbox.actions.signals import parse_signal
from labbox.cli.failures import for_each_at_once
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.session import open_engine

STOP_FLAGS = (
    Flag("signal", "string", "Signal to send to the container", short="s"),
    Flag("timeout", "int", "Seconds to wait before killing the container (-1: never)", short="t"),
    Flag("time", "int", "The same as --timeout"),
)
COMMAND = Command(
    name="stop",
    usage="CONTAINER [CONTAINER...]",
    summary="Stop one or more running containers",
    flags=STOP_FLAGS,
    minimum=1,
    aliases=("container stop",),
)


def execute(arguments: Arguments) -> int:
    """Stop containers, all at once, and print their names; those that have stopped already are fine."""
    engine = open_engine()
    signal, timeout = read_stop_flags(arguments)
    return for_each_at_once(
        arguments.positionals, lambda name: engine.stop(engine.find(name), timeout_seconds=timeout, number=signal)
    )


def read_stop_flags(arguments: Arguments) -> tuple[int | None, float | None]:
    """The signal and the seconds to wait, each None for the container's own."""
    name = arguments.text("signal")
    timeout = arguments.number("timeout") if arguments.is_set("timeout") else arguments.number("time")
    return None if name is None else parse_signal(name), None if timeout is None else float(timeout)
