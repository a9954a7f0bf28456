"""`labbox volume inspect`."""

from labbox.cli.commands.inspect import describe
from labbox.cli.flags import Arguments, Command
from labbox.cli.inspecting import inspect_names
from labbox.cli.listing import INSPECT_FORMAT_FLAG, JSON_FLAG
from labbox.cli.session import open_engine

COMMAND = Command(
    name="volume inspect",
    usage="VOLUME [VOLUME...]",
    summary="Display detailed information on one or more volumes",
    flags=(
        INSPECT_FORMAT_FLAG,
        JSON_FLAG,
    ),
    minimum=1,
)


def execute(arguments: Arguments) -> int:
    """Describe volumes."""
    engine = open_engine()
    return inspect_names(
        arguments.positionals,
        lambda name: describe(engine, name, ("volume",)),
        arguments.text("format"),
    )
