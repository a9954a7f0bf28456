"""`labbox down`."""

from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.output import note
from labbox.cli.session import open_engine

COMMAND = Command(
    name="down",
    usage="[DIR]",
    summary="Stop and remove a lab's container; project, lock, image and named volumes stay",
    flags=(Flag("timeout", "int", "Seconds to wait before killing the services", short="t"),),
    maximum=1,
)


def execute(arguments: Arguments) -> int:
    """Remove the container of the lab in a folder."""
    from labbox.actions.down import down
    from labbox.cli.lab_here import lab_here

    lab, record = lab_here(arguments.positionals[0] if arguments.positionals else None)
    down(open_engine(), lab, timeout_seconds=arguments.number("timeout"))
    note(f"{record.name} is down")
    return 0
