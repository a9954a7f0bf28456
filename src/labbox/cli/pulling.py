"""Pulling the image of a container that is to be made, with docker's lines on stderr."""

import os
import sys

from labbox.actions.pull import PullRequest, pull_image
from labbox.cli.output import note
from labbox.cli.session import open_engine
from labbox.cli.transfer_lines import TransferLines
from labbox.oci.platform import parse_platform
from labbox.oci.reference import Reference
from labbox.store.images import StoredImage


def pull_for_container(reference: Reference, platform: str | None, *, quiet: bool) -> StoredImage:
    """The image, pulled now; raises what the action raises."""
    request = PullRequest(reference, parse_platform(platform) if platform is not None else None)
    if not quiet:
        note(f"{reference.digest or reference.tag}: Pulling from {reference.path}")
    with TransferLines(quiet=quiet, stream=sys.stderr) as lines:
        pulled = pull_image(open_engine(), request, os.environ, lines.report)
    if not quiet:
        what = "Image is up to date" if pulled.was_present else "Downloaded newer image"
        note(f"Digest: {pulled.digest}\nStatus: {what} for {reference.familiar}")
    return pulled.image
