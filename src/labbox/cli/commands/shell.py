"""`labbox shell`."""

import os
import sys

from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.session import open_engine
from labbox.engine.specification import ExecSpec

COMMAND = Command(
    name="shell",
    usage="[COMMAND [ARG...]]",
    summary="Open a shell in the lab of this folder, or run a command there",
    flags=(Flag("user", "string", "Another user than developer, for example root", short="u"),),
    options_end_at_positional=True,
    description="The shell starts where you are: a folder of the project is the same folder below /workspace.",
)


def execute(arguments: Arguments) -> int:
    """Run a shell, or one command, in the lab's container; its exit code is ours."""
    from labbox.actions.lab_status import running_container
    from labbox.cli.lab_here import folder_inside, lab_here
    from labbox.engine.embedded.attachment import DEFAULT_DETACH_KEYS

    _, record = lab_here()
    engine = open_engine()
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    spec = ExecSpec(
        command=arguments.positionals or ("bash", "-l"),
        working_dir=folder_inside(record),
        user=arguments.text("user") or "",
        terminal=terminal,
        open_stdin=True,
        environment=(f"TERM={_terminal_type()}",) if terminal else (),
    )
    execution = engine.execute(running_container(engine, record), spec)
    return execution.proxy(stdin=0, stdout=1, stderr=2, detach_keys=DEFAULT_DETACH_KEYS).code


def _terminal_type() -> str:
    return os.environ.get("TERM") or "xterm-256color"
