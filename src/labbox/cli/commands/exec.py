"""`labbox exec`."""

import os

from labbox.cli.container_flags import DETACH_KEYS_FLAG
from labbox.cli.flags import Arguments, Command, Flag
from labbox.engine.embedded.departure import start_exec_stage
from labbox.linux.idmap import root_identity

COMMAND = Command(
    name="exec",
    usage="CONTAINER COMMAND [ARG...]",
    summary="Execute a command in a running container",
    flags=(
        Flag("detach", "", "Detached mode: run command in the background", short="d"),
        DETACH_KEYS_FLAG,
        Flag("env", "list", "Set environment variables", short="e"),
        Flag("env-file", "list", "Read in a file of environment variables"),
        Flag("interactive", "", "Keep STDIN open even if not attached", short="i"),
        Flag("privileged", "", "Give extended privileges to the command"),
        Flag("tty", "", "Allocate a pseudo-TTY", short="t"),
        Flag("user", "string", 'Username or UID (format: "<name|uid>[:<group|gid>]")', short="u"),
        Flag("workdir", "string", "Working directory inside the container", short="w"),
    ),
    minimum=1,
    options_end_at_positional=True,
    aliases=("container exec",),
    description="In a project folder whose lab runs, CONTAINER may be left out.",
)


def execute(arguments: Arguments) -> int:
    """Run one more command in a container; the command's exit code is ours."""
    # As root the process that will join the container can start before it is known which; the rest loads meanwhile.
    is_complete = len(arguments.positionals) > 1
    is_root = os.geteuid() == 0 and os.environ.get("LABBOX_MODE", "root") in {"", "root"}
    early = start_exec_stage(root_identity(), None) if is_root and is_complete else None
    from labbox.cli.executing import execute_in_container

    return execute_in_container(arguments, early)
