"""`labbox container inspect`."""

from labbox.cli.commands.inspect import describe
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.inspecting import inspect_names
from labbox.cli.listing import INSPECT_FORMAT_FLAG, JSON_FLAG
from labbox.cli.session import open_engine

COMMAND = Command(
    name="container inspect",
    usage="CONTAINER [CONTAINER...]",
    summary="Display detailed information on one or more containers",
    flags=(
        INSPECT_FORMAT_FLAG,
        JSON_FLAG,
        Flag("size", "", "Display total file sizes", short="s"),
    ),
    minimum=1,
)


def execute(arguments: Arguments) -> int:
    """Describe containers."""
    engine = open_engine()
    return inspect_names(
        arguments.positionals,
        lambda name: describe(engine, name, ("container",), with_size=arguments.switch("size")),
        arguments.text("format"),
    )
