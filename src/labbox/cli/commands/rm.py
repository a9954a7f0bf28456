"""`labbox rm`."""

from labbox.cli.failures import for_each
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.output import note
from labbox.cli.session import open_engine
from labbox.errors import NotFoundError

COMMAND = Command(
    name="rm",
    usage="CONTAINER [CONTAINER...]",
    summary="Remove one or more containers",
    flags=(
        Flag("force", "", "Force the removal of a running container (uses SIGKILL)", short="f"),
        Flag("volumes", "", "Remove anonymous volumes associated with the container", short="v"),
    ),
    minimum=1,
    aliases=("container rm", "container remove"),
)


def execute(arguments: Arguments) -> int:
    """Remove containers and print their names; with `--force` one that is gone already is no failure."""
    engine = open_engine()
    force, volumes = arguments.switch("force"), arguments.switch("volumes")
    names = []
    for name in arguments.positionals:
        try:
            engine.find(name)
        except NotFoundError as error:
            if not force:
                names.append(name)
            else:
                note(f"labbox: {error.message}")
        else:
            names.append(name)
    return for_each(names, lambda name: engine.remove(engine.find(name), force=force, volumes=volumes))
