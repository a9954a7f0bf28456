"""Exit codes of failures where docker's differ by command, and verbs that go on with the next name after a failure."""

import os
import sys
from collections.abc import Callable, Iterable

from labbox.cli.report import describe_os_error, print_failure
from labbox.errors import EngineError, LabboxError

ENGINE_FAILED = 125


class EngineFailures:
    """Within it whatever fails ends with 125: `run` and `create` fail so before their command runs."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """Give the failure docker's exit code."""
        if isinstance(error, LabboxError) and error.exit_code == 1:
            error.exit_code = ENGINE_FAILED
        elif isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
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
