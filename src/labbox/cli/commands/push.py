"""`labbox push`."""

import os

from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.listing import JSON_FLAG
from labbox.cli.output import print_json
from labbox.cli.session import open_engine
from labbox.errors import LabboxError
from labbox.lightweight_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labbox.actions.push import Pushed
    from labbox.engine.embedded.engine import EmbeddedEngine
    from labbox.oci.reference import Reference

COMMAND = Command(
    name="push",
    usage="NAME[:TAG]",
    summary="Upload an image to a registry",
    flags=(
        Flag("all-tags", "", "Push all tags of an image to the repository", short="a"),
        Flag("insecure", "", "Speak to the registry without TLS, or with any certificate"),
        JSON_FLAG,
        Flag("quiet", "", "Suppress verbose output", short="q"),
    ),
    minimum=1,
    maximum=1,
    aliases=("image push",),
)


def execute(arguments: Arguments) -> int:
    """Push one image, or every tag of a repository."""
    from labbox.actions.push import local_tags
    from labbox.oci.reference import parse_reference

    reference = parse_reference(arguments.positionals[0])
    quiet = arguments.switch("quiet") or arguments.switch("json")
    engine = open_engine()
    if reference.digest is not None:
        raise LabboxError("cannot push a digest reference")
    if not arguments.switch("all-tags"):
        if not (reference.tag or quiet):
            print("Using default tag: latest")
        references = [reference.with_default_tag()]
    elif reference.tag:
        raise LabboxError("tag can't be used with --all-tags/-a")
    else:
        references = local_tags(engine, reference)
    if not quiet:
        print(f"The push refers to repository [{reference.repository}]", flush=True)
    pushed = [_push(arguments, engine, each, quiet=quiet) for each in references]
    if arguments.switch("json"):
        print_json([_describe(result) for result in pushed])
    elif quiet:
        print(reference if arguments.switch("all-tags") else references[0])
    return 0


def _push(arguments: Arguments, engine: "EmbeddedEngine", reference: "Reference", *, quiet: bool) -> "Pushed":
    from labbox.actions.push import push_image
    from labbox.cli.transfer_lines import TransferLines

    with TransferLines(quiet=quiet) as lines:
        pushed = push_image(engine, reference, os.environ, lines.report, is_insecure=arguments.switch("insecure"))
    if not quiet:
        print(f"{reference.tag}: digest: {pushed.digest} size: {pushed.manifest_bytes}", flush=True)
    return pushed


def _describe(pushed: "Pushed") -> dict[str, object]:
    return {
        "name": pushed.reference.familiar,
        "digest": str(pushed.digest),
        "sent_bytes": pushed.sent_bytes,
    }
