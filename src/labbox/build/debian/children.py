"""Functions run in forked children, their result, progress and exceptions brought back to the caller."""

import os
import pickle
import signal
import struct
from collections.abc import Callable
from typing import TypeVar

from labbox.errors import EngineError, LabboxError
from labbox.linux.process import PR_SET_PDEATHSIG, prctl

# Called with a stage's name, how much of it is done, and how much there is.
Report = Callable[[str, int, int], None]

_LENGTH = struct.Struct("=I")
_Result = TypeVar("_Result")


def call_in_child(function: Callable[[Report], _Result], report: Report, *, what: str) -> _Result:
    """Call `function(report)` in a forked child and return its result; a child dies with its parent.

    What the child reports is reported here. A LabboxError or OSError of the child is raised here; any other exception
    ends the child, which is an EngineError naming `what`.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _live(function, writer, parent)
    os.close(writer)
    try:
        return _listen(reader, report, child, what)
    except KeyboardInterrupt:
        _end(child, reader)
        raise
    finally:
        os.close(reader)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends; to be called again after a change of user ids."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _live(function: Callable[[Report], object], writer: int, parent: int) -> None:
    status = 1
    try:
        die_with_parent()
        if os.getppid() not in (parent, 0):  # 0: the parent is outside of a new pid namespace
            os._exit(1)

        def report(stage: str, done: int, total: int) -> None:
            _send(writer, ("progress", (stage, done, total)))

        try:
            _send(writer, ("result", function(report)))
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


def _end(child: int, reader: int) -> None:
    """Kill a child and wait for all its descendants: each holds the pipe open until it is gone."""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while os.read(reader, 1 << 16):
        continue


def _send(writer: int, message: tuple[str, object]) -> None:
    body = pickle.dumps(message)
    data = memoryview(_LENGTH.pack(len(body)) + body)
    while data:
        data = data[os.write(writer, data) :]


def _listen(reader: int, report: Report, child: int, what: str) -> _Result:  # type: ignore[type-var]
    with open(reader, "rb", closefd=False) as file:
        while head := file.read(_LENGTH.size):
            kind, value = pickle.loads(file.read(_LENGTH.unpack(head)[0]))  # noqa: S301  (written by our own child)
            if kind == "progress":
                report(*value)
                continue
            os.waitpid(child, 0)
            if kind == "error":
                raise value
            result: _Result = value
            return result
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    raise EngineError(f"{what} ended without an answer (exit status {code})")
