"""Tasks that wait for one another, worked off by forked processes: one per processor.

Tasks are started in the order of the list, as soon as those are done that they come after: put first what takes
longest. Workers are forked when the tasks are known, so a task may use whatever its process has in memory and open.
"""

import os
import pickle
import select
import signal
import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

from labbox.build.children import die_with_parent
from labbox.errors import EngineError, LabboxError
from labbox.linux.process import fork
from labbox.processes import effective_cpu_count

_MAXIMUM_WORKERS = 16
_NUMBER = struct.Struct("=I")
_HEAD = struct.Struct("=I")
_NOBODY = -1


class Task(NamedTuple):
    """Some work; `after` are the numbers of the tasks that must be done before, `weight` is its share of the whole."""

    work: Callable[[], Any]
    weight: int = 1
    after: tuple[int, ...] = ()


def run_tasks(tasks: Sequence[Task], *, progress: Callable[[int], None] = lambda _done: None) -> list[Any]:
    """What each task returned. `progress` is told the weight that is done.

    The first LabboxError or OSError of a task is raised here; no worker is left then, nor after an interrupt.
    """
    count = min(effective_cpu_count(), _MAXIMUM_WORKERS, len(tasks))
    with _Pool(tasks, count) as pool:
        return pool.run(progress)


class _Worker(NamedTuple):
    pid: int
    commands: int
    answers: int


class _Pool:
    def __init__(self, tasks: Sequence[Task], count: int) -> None:
        self._tasks = tasks
        self._workers: dict[int, _Worker] = {}
        self._count = count

    def __enter__(self) -> Self:
        try:
            for _ in range(self._count):
                worker = _start_worker(self._tasks, list(self._workers.values()))
                self._workers[worker.answers] = worker
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def run(self, progress: Callable[[int], None]) -> list[Any]:
        """Hand out the tasks and collect the answers."""
        waiting = list(range(len(self._tasks)))
        idle = list(self._workers)
        running: dict[int, int] = {}  # descriptor of the answers → task
        answers: dict[int, Any] = {}
        done_weight = 0
        poller = select.poll()
        for reader in self._workers:
            poller.register(reader, select.POLLIN)
        while len(answers) < len(self._tasks):
            while idle and (number := self._next_ready(waiting, answers)) != _NOBODY:
                waiting.remove(number)
                reader = idle.pop()
                running[reader] = number
                os.write(self._workers[reader].commands, _NUMBER.pack(number))
            for reader, _ in poller.poll():
                number = running.pop(reader)
                answers[number] = _read_answer(reader)
                idle.append(reader)
                done_weight += self._tasks[number].weight
                progress(done_weight)
        return [answers[number] for number in range(len(self._tasks))]

    def _next_ready(self, waiting: Sequence[int], answers: dict[int, Any]) -> int:
        return next(
            (number for number in waiting if all(task in answers for task in self._tasks[number].after)), _NOBODY
        )

    def _end(self) -> None:
        for worker in self._workers.values():
            os.close(worker.commands)
            os.close(worker.answers)
            os.kill(worker.pid, signal.SIGKILL)
            os.waitpid(worker.pid, 0)
        self._workers.clear()


def _start_worker(tasks: Sequence[Task], others: Sequence[_Worker]) -> _Worker:
    commands_reader, commands_writer = os.pipe2(os.O_CLOEXEC)
    answers_reader, answers_writer = os.pipe2(os.O_CLOEXEC)
    parent = os.getpid()
    child = fork()
    if child == 0:
        for descriptor in (commands_writer, answers_reader, *(end for other in others for end in other[1:])):
            os.close(descriptor)
        _live(tasks, commands_reader, answers_writer, parent)
    os.close(commands_reader)
    os.close(answers_writer)
    return _Worker(child, commands_writer, answers_reader)


def _live(tasks: Sequence[Task], commands: int, answers: int, parent: int) -> None:
    """A worker's life: take a number, do the task, answer. Does not return."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers itself
        die_with_parent()
        while os.getppid() in (parent, 0) and (data := os.read(commands, _NUMBER.size)):
            answer = pickle.dumps(_attempt(tasks[_NUMBER.unpack(data)[0]].work))
            view = memoryview(_HEAD.pack(len(answer)) + answer)
            while view:
                view = view[os.write(answers, view) :]
    finally:
        os._exit(0)


def _attempt(work: Callable[[], Any]) -> tuple[bool, Any]:
    try:
        return True, work()
    except (LabboxError, OSError) as error:
        return False, error
    except Exception as error:  # noqa: BLE001  (a worker's end: the parent raises it)
        return False, EngineError(f"internal error in the build: {type(error).__name__}: {error}")


def _read_answer(reader: int) -> Any:
    head = _read_exactly(reader, _HEAD.size)
    succeeded, value = pickle.loads(_read_exactly(reader, _HEAD.unpack(head)[0]))  # noqa: S301  (written by our own child)
    if not succeeded:
        raise value
    return value


def _read_exactly(reader: int, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = os.read(reader, count - len(data))
        if not piece:
            raise EngineError("a worker process ended before its work was done")
        data += piece
    return bytes(data)
