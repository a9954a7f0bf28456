"""Exit codes of failures where docker's differ by command, and verbs that go on with the next name after a failure."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from labbox.cli.report import describe_os_error, print_failure
from labbox.errors import EngineError, LabboxError

ENGINE_FAILED = 125


@contextmanager
def engine_failures() -> Iterator[None]:
    """`run` ends with 125 for whatever fails before its command runs."""
    try:
        yield
    except LabboxError as error:
        if error.exit_code == 1:
            error.exit_code = ENGINE_FAILED
        raise
    except BrokenPipeError:
        raise
    except OSError as error:
        raise EngineError(describe_os_error(error)) from error


def for_each(names: Iterable[str], work: Callable[[str], None], *, shown: bool = True) -> int:
    """Do the work for each name and print the name; a failure is reported, the rest still done. The exit code."""
    code = 0
    for name in names:
        try:
            work(name)
        except LabboxError as error:
            print_failure(error.message, error.hint)
            code = 1
            if os.environ.get("LABBOX_DEBUG"):
                raise
            continue
        if shown:
            print(name, flush=True)
    sys.stdout.flush()
    return code
