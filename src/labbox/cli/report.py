"""How a failure looks: `labbox: what failed`, then `hint: what to do next`, on stderr."""

import os
import sys

from labbox.cli.flags import CommandLineError
from labbox.errors import LabboxError


def report_failure(error: Exception, *, debug: bool) -> int:
    """Print a failure for people and return the exit code; with `debug` the traceback too."""
    if debug or os.environ.get("LABBOX_DEBUG"):
        import traceback  # only a developer needs it

        traceback.print_exception(error)
    if isinstance(error, LabboxError):
        print_failure(error.message, error.hint)
        if isinstance(error, CommandLineError):
            print(f"\n{error.usage}", file=sys.stderr)
        return error.exit_code
    if isinstance(error, OSError):
        print_failure(describe_os_error(error), None)
        return 1
    print_failure(f"internal error: {type(error).__name__}: {error}", "run again with --debug and report what it shows")
    return 1


def describe_os_error(error: OSError) -> str:
    """An operating-system error as a sentence: the file, then the reason."""
    reason = error.strerror or str(error)
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    return f"{' -> '.join(names)}: {reason}" if names else reason


def print_failure(message: str, hint: str | None) -> None:
    """A failure on stderr: the message, and on a line of its own what to do."""
    print(f"labbox: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)
