"""`labbox pull`."""

import os

from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.listing import JSON_FLAG
from labbox.cli.output import print_json
from labbox.cli.session import open_engine
from labbox.errors import LabboxError
from labbox.lightweight_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labbox.actions.pull import Pulled
    from labbox.oci.reference import Reference

COMMAND = Command(
    name="pull",
    usage="NAME[:TAG|@DIGEST]",
    summary="Download an image from a registry",
    flags=(
        Flag("all-tags", "", "Download all tagged images in the repository", short="a"),
        Flag("insecure", "", "Speak to the registry without TLS, or with any certificate"),
        JSON_FLAG,
        Flag("platform", "string", "Get the image for this platform (os/architecture) instead of this machine's"),
        Flag("quiet", "", "Suppress verbose output", short="q"),
    ),
    minimum=1,
    maximum=1,
    aliases=("image pull",),
)


def execute(arguments: Arguments) -> int:
    """Pull one image, or every tag of a repository, and print what came."""
    from labbox.actions.pull import list_tags
    from labbox.oci.reference import parse_reference

    reference = parse_reference(arguments.positionals[0])
    quiet = arguments.switch("quiet") or arguments.switch("json")
    if arguments.switch("all-tags"):
        if reference.tag or reference.digest is not None:
            raise LabboxError("tag can't be used with --all-tags/-a")
        tags = list_tags(reference, os.environ, is_insecure=arguments.switch("insecure"))
        references = [reference._replace(tag=tag) for tag in tags]
    else:
        if not (reference.tag or reference.digest or quiet):
            print("Using default tag: latest")
        references = [reference.with_default_tag()]
    pulled = [_pull(arguments, each, quiet=quiet) for each in references]
    if arguments.switch("json"):
        print_json([_describe(result) for result in pulled])
    else:
        print(reference if arguments.switch("all-tags") else references[0])
    return 0


def _pull(arguments: Arguments, reference: "Reference", *, quiet: bool) -> "Pulled":
    from labbox.actions.pull import PullRequest, pull_image
    from labbox.cli.transfer_lines import TransferLines
    from labbox.oci.platform import parse_platform

    request = PullRequest(
        reference, arguments.value("platform", parse_platform), is_insecure=arguments.switch("insecure")
    )
    if not quiet:
        print(f"{reference.digest or reference.tag}: Pulling from {reference.path}", flush=True)
    with TransferLines(quiet=quiet) as lines:
        pulled = pull_image(open_engine(), request, os.environ, lines.report)
    if not quiet:
        what = "Image is up to date" if pulled.was_present else "Downloaded newer image"
        print(f"Digest: {pulled.digest}\nStatus: {what} for {reference.familiar}")
    return pulled


def _describe(pulled: "Pulled") -> dict[str, object]:
    return {
        "name": pulled.reference.familiar,
        "id": str(pulled.image.id),
        "digest": str(pulled.digest),
        "was_present": pulled.was_present,
    }
