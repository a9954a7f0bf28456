"""`labbox create`."""

from labbox.cli.commands.run import create_from_command_line
from labbox.cli.container_flags import CONTAINER_FLAGS
from labbox.cli.container_request import read_request
from labbox.cli.failures import EngineFailures
from labbox.cli.flags import Arguments, Command
from labbox.cli.session import open_engine

COMMAND = Command(
    name="create",
    usage="IMAGE [COMMAND] [ARG...]",
    summary="Create a new container",
    flags=CONTAINER_FLAGS,
    minimum=1,
    options_end_at_positional=True,
    aliases=("container create",),
)


def execute(arguments: Arguments) -> int:
    """Create a container and print its id."""
    with EngineFailures():
        container = create_from_command_line(open_engine(), arguments, read_request(arguments))
    print(container.spec.id)
    return 0
