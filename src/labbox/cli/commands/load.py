"""`labbox load`."""

import io
import os
import sys
from contextlib import ExitStack
from typing import Any, BinaryIO

from labbox.actions.load import load_images
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.humanize import human_size
from labbox.cli.listing import JSON_FLAG
from labbox.cli.output import ProgressLine, print_json
from labbox.cli.session import open_engine
from labbox.errors import LabboxError
from labbox.oci.platform import parse_platform
from labbox.store.archives.adopting import AdoptedImage

COMMAND = Command(
    name="load",
    usage="",
    summary="Load an image from a tar archive or STDIN",
    flags=(
        Flag("input", "string", "Read from a tar archive or the folder of an OCI layout, instead of STDIN", short="i"),
        JSON_FLAG,
        Flag("platform", "string", "Load only the given platform of an image of several (os/architecture)"),
        Flag("quiet", "", "Suppress the load output", short="q"),
    ),
    maximum=0,
    aliases=("image load",),
)

_READ_BYTES = 1 << 20


def execute(arguments: Arguments) -> int:
    """Load images and print the name or id of each."""
    path = arguments.text("input")
    platform = arguments.value("platform", parse_platform)
    with ExitStack() as stack:
        source = _open_source(path, stack, is_quiet=arguments.switch("quiet"))
        loaded = load_images(open_engine(), source, platform=platform)
    if arguments.switch("json"):
        print_json([_describe(each) for each in loaded])
        return 0
    for each in loaded:
        for name, image_id in each.displaced:
            print(f"The image {name} already exists, renaming the old one with ID {image_id} to empty string")
        for name in each.names:
            print(f"Loaded image: {name}")
        if not each.names:
            print(f"Loaded image ID: {each.image.id}")
    return 0


class _WatchedFile(io.RawIOBase):
    """A file whose reading is shown on a line."""

    def __init__(self, file: io.FileIO, line: ProgressLine) -> None:
        super().__init__()
        self._file = file
        self._line = line
        self._total = os.fstat(file.fileno()).st_size

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a part of the buffer; 0 at the end."""
        count = self._file.readinto(buffer) or 0
        self._line.update(self._file.tell(), self._total)
        return count


def _open_source(path: str | None, stack: ExitStack, *, is_quiet: bool) -> BinaryIO | str:
    if path is None:
        if sys.stdin.isatty():
            raise LabboxError("requested load from stdin, but stdin is empty", hint="use -i FILE or redirect a file")
        return sys.stdin.buffer
    if os.path.isdir(path):
        return path
    try:
        file = stack.enter_context(io.FileIO(path))
    except OSError as error:
        raise LabboxError(f"open {path}: {(error.strerror or 'unreadable').lower()}") from error
    if is_quiet or not sys.stderr.isatty() or not file.seekable():
        return io.BufferedReader(file, _READ_BYTES)
    line = stack.enter_context(ProgressLine("Loading", show=human_size))
    return io.BufferedReader(_WatchedFile(file, line), _READ_BYTES)


def _describe(loaded: AdoptedImage) -> dict[str, object]:
    return {
        "id": str(loaded.image.id),
        "digest": str(loaded.image.manifest_digest),
        "names": list(loaded.names),
        "displaced": [{"name": name, "id": str(image_id)} for name, image_id in loaded.displaced],
    }
