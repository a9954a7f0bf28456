"""`labbox top`."""

import time

from labbox.actions.processes_of_container import ProcessFacts, describe_processes, terminal_name, user_name
from labbox.cli.flags import Arguments, Command
from labbox.cli.listing import JSON_FLAG
from labbox.cli.output import print_json
from labbox.cli.session import open_engine
from labbox.cli.tables import align
from labbox.errors import ConflictError, LabboxError

COMMAND = Command(
    name="top",
    usage="CONTAINER [ps OPTIONS]",
    summary="Display the running processes of a container",
    flags=(JSON_FLAG,),
    minimum=1,
    options_end_at_positional=True,
    aliases=("container top",),
)
_COLUMN_WIDTH = 20
_HEADER = ("UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD")
_DAY_SECONDS = 86400


def execute(arguments: Arguments) -> int:
    """Print the processes of a container, with the host's numbers; other columns come from the host's ps."""
    name, *options = arguments.positionals
    container = open_engine().find(name)
    if not container.is_running:
        raise ConflictError(f"Container {container.spec.id} is not running")
    processes = describe_processes(container)
    if arguments.switch("json"):
        print_json([process._asdict() for process in processes])
        return 0
    if options:
        lines = _ask_ps(options, {process.pid for process in processes})
    else:
        now = time.time()
        lines = ["\t".join(_HEADER), *("\t".join(_row(process, now)) for process in processes)]
    print(align("\n".join(lines), minimum_width=_COLUMN_WIDTH))
    return 0


def _row(process: ProcessFacts, now: float) -> tuple[str, ...]:
    age = max(1.0, now - process.started)
    started = time.strftime("%H:%M" if age < _DAY_SECONDS else "%b%d", time.localtime(process.started))
    seconds = int(process.cpu_seconds)
    return (
        user_name(process.uid),
        str(process.pid),
        str(process.parent_pid),
        str(int(process.cpu_seconds * 100 / age)),
        started,
        terminal_name(process.terminal),
        f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}",
        process.command,
    )


def _ask_ps(options: list[str], pids: set[int]) -> list[str]:
    """The lines of the host's ps(1) about these processes; its columns end where the last header begins."""
    import subprocess

    try:
        answer = subprocess.run(["ps", *options], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise LabboxError("this host has no ps", hint="leave out the options") from error
    if answer.returncode:
        raise LabboxError(f"ps: {answer.stderr.strip().splitlines()[0] if answer.stderr.strip() else 'failed'}")
    header, *rows = answer.stdout.splitlines()
    titles = header.split()
    if "PID" not in titles:
        raise LabboxError("Couldn't find PID field in ps output", hint="add a column pid")
    place = titles.index("PID")
    cells = [row.split(None, len(titles) - 1) for row in rows]
    return ["\t".join(titles), *("\t".join(row) for row in cells if row[place].isdigit() and int(row[place]) in pids)]
