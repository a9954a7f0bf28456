"""What to say when a flag or a command is not known: docker's message, and the nearest thing that exists."""

from collections.abc import Sequence

from labbox.cli.absent import ABSENT_COMMANDS, ABSENT_FLAGS
from labbox.cli.flags import Command, CommandLineError
from labbox.errors import UsageError


def unknown_flag(command: Command, name: str, message: str) -> UsageError:
    """The error for a flag that `command` does not have (`name` without its dashes)."""
    absent = ABSENT_FLAGS.get(name)
    if absent is not None:
        title = f"--{name}" if len(name) > 1 else f"-{name}"
        return UsageError(f"labbox has no {title}: {absent.reason}", hint=absent.instead)
    nearest = find_nearest(name, [flag.name for flag in command.flags]) if len(name) > 1 else None
    return CommandLineError(message, command, hint=f"did you mean --{nearest}?" if nearest else None)


def unknown_command(parent: Command, name: str, known: Sequence[str]) -> UsageError:
    """The error for a command that does not exist under `parent` (`labbox`, or `labbox image`)."""
    absent = ABSENT_COMMANDS.get(f"{parent.name} {name}".strip())
    if absent is not None:
        return UsageError(f"labbox has no command `{name}`: {absent.reason}", hint=absent.instead, exit_code=1)
    nearest = find_nearest(name, known)
    hint = f"did you mean `{parent.title} {nearest}`?" if nearest else None
    return CommandLineError(f"unknown command: {parent.title} {name}", parent, hint=hint, exit_code=1)


def find_nearest(name: str, known: Sequence[str]) -> str | None:
    """The known name that looks most like `name`, or None when nothing comes near."""
    from difflib import get_close_matches  # only a mistake needs it

    beginnings = [candidate for candidate in known if len(name) > 1 and candidate.startswith(name)]
    if beginnings:
        return min(beginnings, key=len)
    matches = get_close_matches(name, known, n=1, cutoff=0.5)
    return matches[0] if matches else None
