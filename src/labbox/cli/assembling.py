"""Assembling a Debian release, with its progress."""

from labbox.actions.bootstrap import BootstrapRequest, BootstrapResult, bootstrap
from labbox.cli.stages import Stages
from labbox.settings import Settings

_STAGES = {
    "index": "reading the archive's index",
    "download": "downloading packages",
    "unpack": "unpacking packages",
    "configure": "configuring packages",
    "finish": "writing the image",
}


def assemble_release(settings: Settings, release: str, name: str, *, quiet: bool) -> BootstrapResult:
    """Make the image `name` from a Debian release (`debian:13`); raises what the action raises."""
    return assemble(settings, BootstrapRequest(release=release, name=name), quiet=quiet)


def assemble(settings: Settings, request: BootstrapRequest, *, quiet: bool) -> BootstrapResult:
    """Make an image from the Debian archive, showing each stage unless `quiet`."""
    if quiet:
        return bootstrap(settings, request)
    with Stages(_STAGES, in_bytes=("download",)) as stages:
        return bootstrap(settings, request, report=stages.report)
