"""`labbox create`."""

from labbox.cli.container_flags import CONTAINER_FLAGS
from labbox.cli.container_request import read_request
from labbox.cli.flags import Arguments, Command
from labbox.cli.running import create_from_command_line
from labbox.cli.session import open_engine
from labbox.errors import LabboxError

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
    request = read_request(arguments)
    try:
        container = create_from_command_line(open_engine(), arguments, request)
    except LabboxError as error:
        error.exit_code = 1  # docker's: 125 is for what stands on the command line, and for `run`
        raise
    print(container.spec.id)
    return 0
