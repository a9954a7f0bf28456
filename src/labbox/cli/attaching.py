"""A terminal or pipes carried to and from a container, and the exit code that follows from how that ended."""

import os
import sys

from labbox.cli.flags import Arguments
from labbox.cli.report import print_failure
from labbox.engine.embedded.attachment import DEFAULT_DETACH_KEYS, Attachment, Outcome, parse_detach_keys
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.errors import LabboxError, NotFoundError

_LOST = 137  # as if killed: the monitor's end ends its container
_STDIN, _STDOUT, _STDERR = 0, 1, 2


def read_detach_keys(arguments: Arguments) -> bytes:
    """The keys of `--detach-keys`, else ctrl-p ctrl-q."""
    text = arguments.text("detach-keys")
    return DEFAULT_DETACH_KEYS if text is None else parse_detach_keys(text)


def check_terminal(*, terminal: bool, stdin: bool) -> None:
    """Refuse `-it` where nobody can type, as docker does."""
    if terminal and stdin and not os.isatty(_STDIN):
        raise LabboxError("the input device is not a TTY", hint="leave out -t, or -i")


def carry(
    connection: Attachment, *, streams: tuple[str, ...], terminal: bool, detach_keys: bytes, proxy_signals: bool
) -> Outcome:
    """Carry bytes until the container's command ends or the detach keys are pressed."""
    sys.stdout.flush()
    null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        return connection.proxy(
            stdin=_STDIN if "stdin" in streams else None,
            stdout=_STDOUT if "stdout" in streams else null,
            stderr=_STDERR if "stderr" in streams else null,
            terminal=terminal,
            detach_keys=detach_keys,
            proxy_signals=proxy_signals,
        )
    finally:
        os.close(null)


def exit_code_of(outcome: Outcome, engine: EmbeddedEngine, container: Container) -> int:
    """The exit code of the command line for how an attachment ended; a failure is reported."""
    match outcome.kind:
        case "exited":
            return outcome.code
        case "failed":
            print_failure(outcome.message, None)
            return outcome.code
        case "detached":
            print("read escape sequence", file=sys.stderr)
            return 0
    return _recorded_exit_code(engine, container)


def _recorded_exit_code(engine: EmbeddedEngine, container: Container) -> int:
    try:
        state = engine.find(container.spec.id).state
    except NotFoundError:
        state = container.state
    print_failure("the container's monitor was killed, and the container with it", None)
    return state.exit_code or _LOST
