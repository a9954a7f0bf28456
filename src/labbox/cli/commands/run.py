"""`labbox run`."""

import os

from labbox.cli.container_flags import CONTAINER_FLAGS, DETACH_KEYS_FLAG, SIGNAL_PROXY_FLAG
from labbox.cli.flags import Arguments, Command, Flag
from labbox.engine.embedded.launch import begin_launch
from labbox.settings import load_settings

COMMAND = Command(
    name="run",
    usage="IMAGE [COMMAND] [ARG...]",
    summary="Create and run a new container from an image",
    flags=(
        *CONTAINER_FLAGS,
        DETACH_KEYS_FLAG,
        SIGNAL_PROXY_FLAG,
        Flag("detach", "", "Run container in background and print container ID", short="d"),
    ),
    minimum=1,
    options_end_at_positional=True,
    aliases=("container run",),
)


def execute(arguments: Arguments) -> int:
    """Create a container, start it, and stay with it until it ends unless it is detached."""
    launch = begin_launch(load_settings(os.environ).runtime_dir, os.environ.get("LABBOX_MODE") or None)
    # While the monitor prepares itself on another processor.
    from labbox.cli.running import run_container

    return run_container(arguments, launch)
