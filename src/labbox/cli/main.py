"""The command `labbox`: finds the command's module in a static table, imports only that, reports every failure.

Exit codes are docker's: 125 labbox itself failed, 126 not executable, 127 not found, 130 interrupted.
"""

import gc
import os
import sys

from labbox import __version__
from labbox.cli.flags import Arguments, Command, Flag, HelpWanted, parse
from labbox.cli.table_of_commands import COMMANDS, GROUP_ALIASES, GROUPS
from labbox.errors import UsageError
from labbox.lightweight_typing import Callable, NoReturn, Sequence

INTERRUPTED = 130
_FEW_COLLECTIONS = 50_000  # a command rarely makes as many objects in all
ROOT = Command(
    name="",
    usage="COMMAND",
    summary="A research laboratory in a box: labs and containers without Docker, daemon or root",
    flags=(
        Flag("debug", "", "Show a traceback when something fails (also LABBOX_DEBUG=1)", short="D"),
        Flag("version", "", "Print version information and quit", short="v"),
    ),
    options_end_at_positional=True,
)

BROKEN_PIPE = 141  # 128 + SIGPIPE: what a shell reports for docker in `docker ps | true`


def run() -> NoReturn:
    """The console script: run the command line of this process and exit.

    Ends without taking the interpreter apart (10 ms): files are closed, the kernel takes back the rest.
    """
    gc.set_threshold(_FEW_COLLECTIONS)
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        _end_interrupted()
    sys.stderr.flush()
    os._exit(code)


def main(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; every foreseeable failure is one message on stderr.

    Lets KeyboardInterrupt out.
    """
    for stream in (sys.stdout, sys.stderr):
        # names of files need not be UTF-8; they are printed as they are
        stream.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    debug = bool(os.environ.get("LABBOX_DEBUG"))
    try:
        code = _run_guarded(arguments, debug=debug)
        sys.stdout.flush()
    except BrokenPipeError:
        # nobody reads on: keep the interpreter's own flush at exit from complaining
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return BROKEN_PIPE
    return code


def _end_interrupted() -> NoReturn:
    """End by the signal itself: a shell's loop goes on after exit code 130, and stops only after a death by SIGINT."""
    import signal  # only ctrl-c needs it

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
    os._exit(INTERRUPTED)


def _run_guarded(arguments: Sequence[str], *, debug: bool) -> int:
    try:
        return _dispatch(arguments)
    except HelpWanted as wanted:
        _print_help(wanted.command)
        return 0
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  (the top of the command line: nothing may escape as a traceback)
        from labbox.cli.report import report_failure  # only a failure needs it

        return report_failure(error, debug=debug)


def _dispatch(arguments: Sequence[str]) -> int:
    options = parse(ROOT, arguments)
    if options.switch("debug"):
        os.environ["LABBOX_DEBUG"] = "1"
    if options.switch("version"):
        print(f"labbox version {__version__}")
        return 0
    if not options.positionals:
        raise HelpWanted(ROOT)
    name, *rest = options.positionals
    if name == "help":
        return _dispatch([*rest, "--help"])
    if name in GROUPS:
        return _dispatch_group(name, rest)
    if name not in COMMANDS:
        raise _unknown_command(ROOT, name, [*COMMANDS, *GROUPS])
    return _execute(COMMANDS[name].module, rest)


def _dispatch_group(group_name: str, arguments: Sequence[str]) -> int:
    group_command = Command(group_name, "COMMAND", GROUPS[group_name].summary)
    entries = GROUPS[group_name].entries
    options = parse(group_command._replace(options_end_at_positional=True), arguments)
    if not options.positionals:
        raise HelpWanted(group_command)
    name, *rest = options.positionals
    name = GROUP_ALIASES[group_name].get(name, name)
    if name not in entries:
        raise _unknown_command(group_command, name, list(entries))
    return _execute(entries[name].module, rest)


def _execute(module_name: str, arguments: list[str]) -> int:
    module = __import__(f"labbox.cli.commands.{module_name}", fromlist=["COMMAND"])
    command: Command = module.COMMAND
    execute: Callable[[Arguments], int] = module.execute
    return execute(parse(command, arguments))


def _print_help(command: Command) -> None:
    from labbox.cli import help as pages  # only --help needs it

    if not command.name:
        print(pages.render_overview())
    elif command.name in GROUPS:
        print(pages.render_group(command.name, GROUPS[command.name]))
    else:
        print(pages.render_command(command))


def _unknown_command(parent: Command, name: str, known: Sequence[str]) -> UsageError:
    from labbox.cli.unknown import unknown_command  # only a mistake needs it

    return unknown_command(parent, name, known)
