"""`labbox rename`."""

from labbox.cli.flags import Arguments, Command
from labbox.cli.session import open_engine
from labbox.errors import ConflictError, LabboxError

COMMAND = Command(
    name="rename",
    usage="CONTAINER NEW_NAME",
    summary="Rename a container",
    minimum=2,
    maximum=2,
    aliases=("container rename",),
)


def execute(arguments: Arguments) -> int:
    """Give a container another name; nothing is printed."""
    old, new = arguments.positionals
    engine = open_engine()
    container = engine.find(old)
    if container.spec.name == new.removeprefix("/"):
        raise ConflictError("Renaming a container with the same name as its current name")
    try:
        engine.rename(container, new)
    except LabboxError as error:
        error.exit_code = 1
        raise
    return 0
