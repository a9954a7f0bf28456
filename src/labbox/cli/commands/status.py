"""`labbox status`."""

from labbox.cli.flags import Arguments, Command
from labbox.cli.listing import JSON_FLAG
from labbox.cli.output import print_json
from labbox.cli.session import open_engine

COMMAND = Command(
    name="status",
    usage="[DIR]",
    summary="Show whether a lab runs, and the state and link of each of its services",
    flags=(JSON_FLAG,),
    maximum=1,
)


def execute(arguments: Arguments) -> int:
    """Print the state of the lab in a folder; 1 when it does not run."""
    from labbox.actions.lab_status import lab_status
    from labbox.cli.lab_here import lab_here
    from labbox.cli.up_report import print_status, status_document

    lab, record = lab_here(arguments.positionals[0] if arguments.positionals else None)
    status = lab_status(open_engine(), lab, record)
    if arguments.switch("json"):
        print_json(status_document(status))
    else:
        print_status(status)
    return 0 if status.is_running else 1
