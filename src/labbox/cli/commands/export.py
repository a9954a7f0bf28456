"""`labbox export`."""

import os

from labbox.actions.export import export_container
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.session import open_engine
from labbox.errors import LabboxError

COMMAND = Command(
    name="export",
    usage="CONTAINER",
    summary="Export a container's filesystem as a tar archive",
    flags=(Flag("output", "string", "Write to a file, instead of STDOUT", short="o"),),
    minimum=1,
    maximum=1,
    aliases=("container export",),
)


def execute(arguments: Arguments) -> int:
    """Write a container's files as a tar archive; a file appears only when it is whole."""
    engine = open_engine()
    container = engine.find(arguments.positionals[0])
    path = arguments.text("output")
    if path is None:
        if os.isatty(1):
            raise LabboxError("cowardly refusing to save to a terminal", hint="use the -o flag or redirect")
        export_container(engine, container, 1)
        return 0
    partial = f"{path}.{os.getpid()}.tmp"
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LabboxError(f"failed to export container: open {path}: {(error.strerror or '').lower()}") from error
    try:
        export_container(engine, container, descriptor)
        os.rename(partial, path)
    except BaseException:
        os.unlink(partial)
        raise
    finally:
        os.close(descriptor)
    return 0
