"""`labbox import`."""

import sys
from contextlib import ExitStack
from typing import BinaryIO

from labbox.actions.import_image import ImportRequest, import_image
from labbox.cli.commands.commit import read_new_name
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.session import open_engine
from labbox.errors import LabboxError
from labbox.oci.platform import parse_platform

COMMAND = Command(
    name="import",
    usage="file|- [REPOSITORY[:TAG]]",
    summary="Import the contents from a tarball to create a filesystem image",
    flags=(
        Flag("change", "list", "Apply Dockerfile instruction to the created image", short="c"),
        Flag("message", "string", "Set commit message for imported image", short="m"),
        Flag("platform", "string", "Set the platform of the image (os/architecture)"),
    ),
    minimum=1,
    maximum=2,
    aliases=("image import",),
)


def execute(arguments: Arguments) -> int:
    """Import an archive and print the image's id."""
    source, *names = arguments.positionals
    platform = arguments.text("platform")
    request = ImportRequest(
        name=read_new_name(names[0]) if names else None,
        changes=tuple(arguments.texts("change")),
        message=arguments.text("message") or "",
        platform=None if platform is None else parse_platform(platform),
    )
    engine = open_engine()
    with ExitStack() as stack:
        image = import_image(engine, _open_source(source, stack), request)
    print(image.id)
    return 0


def _open_source(source: str, stack: ExitStack) -> BinaryIO:
    if source == "-":
        return sys.stdin.buffer
    if source.startswith(("http://", "https://")):
        raise LabboxError("labbox import reads files, not addresses", hint=f"fetch it first: curl -fLO {source}")
    try:
        return stack.enter_context(open(source, "rb"))
    except OSError as error:
        raise LabboxError(f"open {source}: {(error.strerror or 'unreadable').lower()}") from error
