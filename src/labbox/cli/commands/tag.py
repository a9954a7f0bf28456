"""`labbox tag`."""

from labbox.cli.flags import Arguments, Command
from labbox.cli.session import open_settings
from labbox.errors import UsageError
from labbox.oci.reference import parse_reference
from labbox.store.images import ImageStore

COMMAND = Command(
    name="tag",
    usage="SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    summary="Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    minimum=2,
    maximum=2,
    aliases=("image tag",),
)


def execute(arguments: Arguments) -> int:
    """Give an image another name; nothing is printed."""
    source, target = arguments.positionals
    try:
        reference = parse_reference(target)
    except UsageError as error:
        raise UsageError(
            f'Error parsing reference: "{target}" is not a valid repository/tag: {error.message}', exit_code=1
        ) from error
    if reference.digest is not None:
        raise UsageError("refusing to create a tag with a digest reference", exit_code=1)
    ImageStore(open_settings().store_dir).tag(source, reference.with_default_tag())
    return 0
