"""`labbox export`."""

import os

from labbox.actions.export import export_container
from labbox.cli.flags import Arguments, Command, Flag, check_count
from labbox.cli.session import open_engine
from labbox.errors import LabboxError

COMMAND = Command(
    name="export",
    usage="CONTAINER | --format FORMAT [DIR]",
    summary="Export a container's filesystem as a tar archive, or a lab's lock for other tools",
    flags=(
        Flag("format", "string", 'Export a lab\'s lock: "requirements", "pylock", "dockerfile" or "spdx"'),
        Flag("output", "string", "Write to a file, instead of STDOUT", short="o"),
    ),
    maximum=1,
    aliases=("container export",),
    description="With --format, DIR is a project folder with a labbox.lock, by default the\n"
    "current one. The requirements file and pylock.toml have the lab's Python packages\n"
    "with hashes; the Dockerfile makes a lab of the same packages with docker, apt and\n"
    "pip alone; spdx is a list of everything (SPDX 2.3) in JSON.",
)


def execute(arguments: Arguments) -> int:
    """Write a container's files as a tar archive; a file appears only when it is whole."""
    format_name = arguments.text("format")
    if format_name is not None:
        return _export_lab(arguments, format_name)
    check_count(COMMAND._replace(minimum=1), len(arguments.positionals))
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


def _export_lab(arguments: Arguments, format_name: str) -> int:
    """Write a lab's lock in another format."""
    from labbox.actions.export_lab import export_lab
    from labbox.files import write_atomic

    text = export_lab(arguments.positionals[0] if arguments.positionals else os.getcwd(), format_name)
    path = arguments.text("output")
    if path is None:
        print(text, end="")
    else:
        write_atomic(path, text.encode(), mode=0o644)
    return 0
