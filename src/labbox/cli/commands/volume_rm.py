"""`labbox volume rm`."""

from labbox.actions.volumes import remove_volume
from labbox.cli.failures import for_each
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.session import open_engine
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import NotFoundError

COMMAND = Command(
    name="volume rm",
    usage="VOLUME [VOLUME...]",
    summary="Remove one or more volumes. You cannot remove a volume that is in use by a container.",
    flags=(Flag("force", "", "Take a volume that does not exist for removed", short="f"),),
    minimum=1,
    aliases=("volume remove",),
)


def execute(arguments: Arguments) -> int:
    """Remove volumes and print their names."""
    engine = open_engine()
    force = arguments.switch("force")
    return for_each(arguments.positionals, lambda name: _remove(engine, name, force=force))


def _remove(engine: EmbeddedEngine, name: str, *, force: bool) -> None:
    try:
        remove_volume(engine, name)
    except NotFoundError:
        if not force:
            raise
