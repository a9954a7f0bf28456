"""Functions run in forked children, their result, progress and exceptions brought back to the caller."""

import os
import pickle
import signal
import struct
from collections.abc import Callable
from typing import Generic, Self, TypeVar

from labbox.errors import EngineError, LabboxError
from labbox.linux.process import PR_SET_PDEATHSIG, fork, prctl

# Called with a stage's name, how much of it is done, and how much there is.
Report = Callable[[str, int, int], None]

_LENGTH = struct.Struct("=I")
_Result = TypeVar("_Result")


def call_in_child(function: Callable[[Report], _Result], report: Report, *, what: str) -> _Result:
    """Call `function(report)` in a forked child and return its result, as `Child.result` does."""
    with Child(function, what=what) as child:
        return child.result(report)


class Child(Generic[_Result]):
    """A forked child that calls `function(report)` from now on; it dies with its parent, and when the body is left.

    A process beside the main work and not a thread: the main work forks too, and must find no lock held.
    """

    def __init__(self, function: Callable[[Report], _Result], *, what: str) -> None:
        self._what = what
        self._reader, writer = os.pipe2(os.O_CLOEXEC)
        parent = os.getpid()
        self._pid = fork()
        if self._pid == 0:
            os.close(self._reader)
            _live(function, writer, parent)
        os.close(writer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Kill the child if nobody waited for it, and wait for all its descendants: each holds the pipe open."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            self._wait()
            while os.read(self._reader, 1 << 16):
                continue
        os.close(self._reader)

    def result(self, report: Report) -> _Result:
        """What the function returns; what the child reports meanwhile is reported here.

        A LabboxError or OSError of the child is raised here; any other exception ends the child, which is an
        EngineError that says what it was for.
        """
        with open(self._reader, "rb", closefd=False) as file:
            while head := file.read(_LENGTH.size):
                kind, value = pickle.loads(file.read(_LENGTH.unpack(head)[0]))  # noqa: S301  (written by our own child)
                if kind == "progress":
                    report(*value)
                    continue
                self._wait()
                if kind == "error":
                    raise value
                result: _Result = value
                return result
        code = os.waitstatus_to_exitcode(self._wait())
        raise EngineError(f"{self._what} ended without an answer (exit status {code})")

    def _wait(self) -> int:
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        return status


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends; to be called again after a change of user ids."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _live(function: Callable[[Report], object], writer: int, parent: int) -> None:
    status = 1
    try:
        die_with_parent()
        if os.getppid() not in (parent, 0):  # 0: the parent is outside of a new pid namespace
            os._exit(1)

        try:
            _send(writer, ("result", function(lambda *progress: _mention(writer, progress))))
        except (LabboxError, OSError) as error:
            _send(writer, ("error", error))
        except Exception as error:  # noqa: BLE001  (a worker's end: the parent raises it)
            _send(writer, ("error", EngineError(f"internal error in the build: {_describe(error)}")))
        status = 0
    finally:
        os._exit(status)


def _describe(error: BaseException) -> str:
    """An exception with the line it comes from; traceback's own means need files that a chamber does not have."""
    place, step = "", error.__traceback__
    while step is not None:
        place = f"{os.path.basename(step.tb_frame.f_code.co_filename)}:{step.tb_lineno}"
        step = step.tb_next
    return f"{type(error).__name__}: {error} ({place})"


def _mention(writer: int, progress: tuple[str, int, int]) -> None:
    """Report, unless nobody has listened for long: what is shorter than PIPE_BUF is written whole or not (pipe(7))."""
    os.set_blocking(writer, False)
    try:
        os.write(writer, _pack(("progress", progress)))
    except BlockingIOError:
        return
    finally:
        os.set_blocking(writer, True)


def _send(writer: int, message: tuple[str, object]) -> None:
    data = memoryview(_pack(message))
    while data:
        data = data[os.write(writer, data) :]


def _pack(message: tuple[str, object]) -> bytes:
    body = pickle.dumps(message)
    return _LENGTH.pack(len(body)) + body
