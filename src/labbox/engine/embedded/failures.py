"""How a process on its way into a container says that it cannot go on, and how that becomes an error again."""

import os

from labbox.engine.embedded import messages
from labbox.errors import CommandNotFoundError, EngineError, LabboxError


def report_failure(channel: messages.Channel, error: BaseException) -> None:
    """Tell the other side of the channel why the container or the command cannot start."""
    exit_code = error.exit_code if isinstance(error, LabboxError) else EngineError.exit_code
    messages.send(channel, "failed", (exit_code, describe_failure(error)))


def describe_failure(error: BaseException) -> str:
    """An error in words: labbox's own, the kernel's, or a fault of labbox."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error) if isinstance(error, LabboxError) else f"fault in labbox: {error!r}"


def raise_failure(exit_code: int, text: str) -> None:
    """Raise the error that a started process reported by its exit code and text."""
    kind = CommandNotFoundError if exit_code == CommandNotFoundError.exit_code else EngineError
    raise kind(text, exit_code=exit_code)


def exit_code_of(status: int) -> int:
    """The exit code docker shows for a wait status: the process's own, or 128+n for signal n."""
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
