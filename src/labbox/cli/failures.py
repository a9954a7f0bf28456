"""Exit codes of failures where docker's differ by command, and verbs that go on with the next name after a failure."""

from labbox.cli.report import describe_os_error, print_failure
from labbox.errors import EngineError, LabboxError
from labbox.lightweight_typing import Callable, Iterable, Sequence

ENGINE_FAILED = 125


class EngineFailures:
    """Within it whatever fails ends with 125: `run` fails so before its command runs."""

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
    outcomes = ((name, _try(work, name)) for name in names)
    return _report_each(outcomes, shown=shown)


def for_each_at_once(names: Sequence[str], work: Callable[[str], None]) -> int:
    """As `for_each`, waiting for all together: for work that only waits. Names are printed in their order."""
    import threading

    outcomes: list[LabboxError | None] = [None] * len(names)

    def run(position: int) -> None:
        outcomes[position] = _try(work, names[position])

    threads = [threading.Thread(target=run, args=(position,), daemon=True) for position in range(len(names))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return _report_each(zip(names, outcomes, strict=True), shown=True)


def _try(work: Callable[[str], None], name: str) -> LabboxError | None:
    try:
        work(name)
    except LabboxError as error:
        return error
    except OSError as error:
        return LabboxError(describe_os_error(error))
    return None


def _report_each(outcomes: Iterable[tuple[str, LabboxError | None]], *, shown: bool) -> int:
    code = 0
    for name, error in outcomes:
        if error is not None:
            print_failure(error.message, error.hint)
            code = 1
        elif shown:
            print(name, flush=True)
    return code
