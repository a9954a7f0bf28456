"""`labbox volume create`."""

from labbox.actions.volumes import create_volume
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.session import open_engine
from labbox.cli.values.labels import parse_label
from labbox.engine.notation.volumes import check_volume_name
from labbox.errors import LabboxError, UsageError

COMMAND = Command(
    name="volume create",
    usage="[VOLUME]",
    summary="Create a volume",
    flags=(
        Flag("driver", "string", "Specify volume driver name", short="d", default="local"),
        Flag("label", "list", "Set metadata for a volume"),
        Flag("opt", "map", "Set driver specific options", short="o"),
    ),
    maximum=1,
)


def execute(arguments: Arguments) -> int:
    """Make a volume and print its name; one that exists is fine."""
    name = arguments.positionals[0] if arguments.positionals else ""
    driver = arguments.text("driver") or "local"
    if driver != "local":
        raise LabboxError(f'create {name}: error looking up volume plugin {driver}: plugin "{driver}" not found')
    if arguments.is_set("opt"):
        raise LabboxError("volumes are folders of this machine and take no options", hint="leave out --opt")
    try:
        if name:
            check_volume_name(name)
    except UsageError as error:
        error.exit_code = 1
        raise
    labels = dict(arguments.values("label", parse_label))
    print(create_volume(open_engine(), name, labels))
    return 0
