"""Assembling a Debian release, with its progress."""

from typing import Self

from labbox.actions.bootstrap import BootstrapRequest, BootstrapResult, bootstrap
from labbox.cli.humanize import human_size
from labbox.cli.output import ProgressLine
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
    with _Stages() as stages:
        return bootstrap(settings, request, report=stages.report)


class _Stages:
    """One progress line per stage."""

    def __init__(self) -> None:
        self.stage = ""
        self.line: ProgressLine | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self.line is not None:
            self.line.__exit__()

    def report(self, stage: str, done: int, total: int) -> None:
        if stage != self.stage or self.line is None:
            self.close()
            self.stage = stage
            show = human_size if stage == "download" else str
            self.line = ProgressLine(f"{_STAGES.get(stage, stage):<28}", show=show).__enter__()
        self.line.update(done, total)
