"""`labbox logs`."""

import sys
import time
from typing import BinaryIO

from labbox.actions.read_logs import LineAssembler, LogLine, follow_records, read_lines
from labbox.cli.clock import parse_moment_nanoseconds
from labbox.cli.flags import Arguments, Command, Flag, check_count
from labbox.cli.session import open_engine
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.logs import STDERR
from labbox.engine.embedded.records import Container
from labbox.errors import NotFoundError, UsageError

COMMAND = Command(
    name="logs",
    usage="CONTAINER",
    summary="Fetch the logs of a container",
    flags=(
        Flag("details", "", "Show extra details provided to logs"),
        Flag("follow", "", "Follow log output", short="f"),
        Flag("since", "string", 'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m")'),
        Flag("tail", "string", "Number of lines to show from the end of the logs", short="n", default="all"),
        Flag("timestamps", "", "Show timestamps", short="t"),
        Flag("until", "string", 'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m")'),
    ),
    maximum=1,
    aliases=("container logs",),
    description="In a project folder with a lab, CONTAINER may be a service of it, or be left out.",
)


def execute(arguments: Arguments) -> int:
    """Print what the container wrote, its stdout to ours and its stderr to ours."""
    since, until = _moment(arguments, "since"), _moment(arguments, "until")
    tail = _tail(arguments.text("tail") or "all")
    engine = open_engine()
    container = _find(engine, arguments, tail)
    if container is None:
        return 0
    reader = engine.logs(container)
    printer = _Printer(arguments, container)
    for line in read_lines(reader, since_ns=since or 0, until_ns=until, tail=tail):
        printer.print(line)
    printer.flush()
    if arguments.switch("follow") and until is None:
        assembler = LineAssembler()
        for record in follow_records(reader, lambda: _is_running(engine, container)):
            if arguments.switch("timestamps"):
                for line in assembler.feed([record]):
                    printer.print(line)
            else:
                printer.print(LogLine(*record))
            printer.flush()
        for line in assembler.rest():
            printer.print(line)
        printer.flush()
    return 0


def _find(engine: EmbeddedEngine, arguments: Arguments, tail: int | None) -> Container | None:
    """The container that is named; None when a service of the lab one is in was meant, and has been shown."""
    try:
        if arguments.positionals:
            return engine.find(arguments.positionals[0])
    except NotFoundError:
        if not _show_lab(arguments, tail):
            raise
        return None
    if not _show_lab(arguments, tail):
        check_count(COMMAND._replace(minimum=1), 0)
    return None


def _show_lab(arguments: Arguments, tail: int | None) -> bool:
    """Show the logs of services of the lab one is in; False when there is no such lab or service."""
    from labbox.cli.lab_here import lab_here
    from labbox.cli.lab_logs import print_service_logs, service_names

    try:
        lab, _ = lab_here()
    except NotFoundError:
        return False
    known = service_names(lab)
    if arguments.positionals and arguments.positionals[0] not in known:
        return False
    print_service_logs(lab, arguments.positionals or known, tail=tail, follow=arguments.switch("follow"))
    return True


class _Printer:
    """Writes lines as the flags say; bytes go out as they came."""

    def __init__(self, arguments: Arguments, container: Container) -> None:
        self.timestamps = arguments.switch("timestamps")
        self.details = b"" if not arguments.switch("details") else _details(container)
        self.has_details = arguments.switch("details")

    def print(self, line: LogLine) -> None:
        target: BinaryIO = sys.stderr.buffer if line.stream == STDERR else sys.stdout.buffer
        if self.timestamps:
            target.write(f"{line.time} ".encode())
        if self.has_details:
            target.write(self.details + b" ")
        target.write(line.data)

    def flush(self) -> None:
        sys.stdout.buffer.flush()
        sys.stderr.buffer.flush()


def _details(container: Container) -> bytes:
    return ",".join(f"{key}={value}" for key, value in container.spec.labels).encode()


def _is_running(engine: EmbeddedEngine, container: Container) -> bool:
    try:
        return engine.find(container.spec.id).is_running
    except NotFoundError:
        return False


def _moment(arguments: Arguments, name: str) -> int | None:
    text = arguments.text(name)
    if text is None:
        return None
    try:
        return parse_moment_nanoseconds(text, time.time_ns())
    except UsageError as error:
        raise UsageError(f'invalid value for "{name}": {error.message}', exit_code=1) from error


def _tail(text: str) -> int | None:
    """Docker shows everything for what is no number."""
    return int(text) if text.isascii() and text.isdigit() else None
