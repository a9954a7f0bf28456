"""`labbox image inspect`."""

from labbox.cli.commands.inspect import describe
from labbox.cli.flags import Arguments, Command
from labbox.cli.inspecting import inspect_names
from labbox.cli.listing import INSPECT_FORMAT_FLAG, JSON_FLAG
from labbox.cli.session import open_engine

COMMAND = Command(
    name="image inspect",
    usage="IMAGE [IMAGE...]",
    summary="Display detailed information on one or more images",
    flags=(
        INSPECT_FORMAT_FLAG,
        JSON_FLAG,
    ),
    minimum=1,
)


def execute(arguments: Arguments) -> int:
    """Describe images."""
    engine = open_engine()
    return inspect_names(
        arguments.positionals,
        lambda name: describe(engine, name, ("image",)),
        arguments.text("format"),
    )
