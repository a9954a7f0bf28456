"""`labbox diff`."""

from labbox.actions.diff import diff_container
from labbox.cli.flags import Arguments, Command
from labbox.cli.listing import JSON_FLAG
from labbox.cli.output import print_json
from labbox.cli.session import open_engine

COMMAND = Command(
    name="diff",
    usage="CONTAINER",
    summary="Inspect changes to files or directories on a container's filesystem",
    flags=(JSON_FLAG,),
    minimum=1,
    maximum=1,
    aliases=("container diff",),
)


def execute(arguments: Arguments) -> int:
    """Print what a container added (A), changed (C) and deleted (D)."""
    engine = open_engine()
    changes = diff_container(engine, engine.find(arguments.positionals[0]))
    if arguments.switch("json"):
        print_json([change._asdict() for change in changes])
        return 0
    for change in changes:
        print(f"{change.kind} {change.path}")
    return 0
