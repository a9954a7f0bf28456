"""`labbox wait`."""

from labbox.cli.failures import for_each
from labbox.cli.flags import Arguments, Command
from labbox.cli.session import open_engine

COMMAND = Command(
    name="wait",
    usage="CONTAINER [CONTAINER...]",
    summary="Block until one or more containers stop, then print their exit codes",
    minimum=1,
    aliases=("container wait",),
)


def execute(arguments: Arguments) -> int:
    """Wait for containers one after the other and print how each ended."""
    engine = open_engine()
    return for_each(arguments.positionals, lambda name: print(engine.wait(engine.find(name)), flush=True), shown=False)
