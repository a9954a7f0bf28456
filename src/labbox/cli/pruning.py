"""What the `prune` commands share: the question before, the report after."""

from collections.abc import Sequence

from labbox.cli.humanize import human_size
from labbox.cli.output import confirm


def start_pruning(warning: str, *, force: bool) -> bool:
    """True when the user forces it or says yes."""
    return force or confirm(warning)


def report_pruned(heading: str, names: Sequence[str], freed_bytes: int) -> None:
    """What was removed, and how much room that made."""
    report_removed(heading, names)
    print(f"Total reclaimed space: {human_size(freed_bytes, digits=4)}")


def report_removed(heading: str, names: Sequence[str]) -> None:
    """What was removed of one kind, where anything was."""
    if names:
        print(heading, *names, sep="\n", end="\n\n")
