"""`labbox save`."""

import os
import stat
import sys

from labbox.actions.save import save_images
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.humanize import human_size
from labbox.cli.output import ProgressLine
from labbox.cli.session import open_engine
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import LabboxError, UsageError
from labbox.store.archives.writing import FORMATS, Format

COMMAND = Command(
    name="save",
    usage="IMAGE [IMAGE...]",
    summary="Save one or more images to a tar archive (streamed to STDOUT by default)",
    flags=(
        Flag("format", "string", '"docker-archive" (default), "oci-archive", or "oci-dir" (a folder)'),
        Flag("output", "string", "Write to a file, instead of STDOUT", short="o"),
    ),
    minimum=1,
    aliases=("image save",),
    description="The default archive is one for docker load and an OCI image layout at once.",
)


def execute(arguments: Arguments) -> int:
    """Write images; a file appears only when it is whole."""
    archive_format = arguments.value("format", _read_format) or "docker-archive"
    path = arguments.text("output")
    if path is None:
        if archive_format == "oci-dir":
            raise LabboxError("oci-dir is a folder, which needs a path", hint="add -o FOLDER")
        if os.isatty(1):
            raise LabboxError("cowardly refusing to save to a terminal. Use the -o flag or redirect")
        _save(open_engine(), arguments.positionals, 1, archive_format)
    elif archive_format == "oci-dir":
        _save(open_engine(), arguments.positionals, path, archive_format)
    else:
        _save_file(open_engine(), arguments.positionals, path, archive_format)
    return 0


def _read_format(text: str) -> Format:
    for name in FORMATS:
        if name == text:
            return name
    raise UsageError(f"expected one of {', '.join(FORMATS)}")


def _save_file(engine: EmbeddedEngine, names: tuple[str, ...], path: str, archive_format: Format) -> None:
    if _is_special(path):
        descriptor = _open(path, path, os.O_WRONLY)
        try:
            _save(engine, names, descriptor, archive_format)
        finally:
            os.close(descriptor)
        return
    partial = f"{path}.{os.getpid()}.tmp"
    descriptor = _open(partial, path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        _save(engine, names, descriptor, archive_format)
        os.rename(partial, path)
    except BaseException:
        os.unlink(partial)
        raise
    finally:
        os.close(descriptor)


def _save(engine: EmbeddedEngine, names: tuple[str, ...], target: int | str, archive_format: Format) -> None:
    """Save with a bar where a person looks."""
    if not sys.stderr.isatty():
        save_images(engine, names, target, archive_format=archive_format)
        return
    with ProgressLine("Saving", show=human_size) as line:
        save_images(engine, names, target, archive_format=archive_format, report=line.update)


def _is_special(path: str) -> bool:
    """True for a device or a pipe, which cannot be replaced."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    if stat.S_ISDIR(mode):
        raise LabboxError(f'failed to save image: "{path}" must be a regular file')
    return not stat.S_ISREG(mode)


def _open(path: str, shown: str, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_CLOEXEC, 0o644)
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise LabboxError(f"failed to save image: invalid output path: {shown}: {reason}") from error
