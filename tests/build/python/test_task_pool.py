import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from labbox.build.python.task_pool import Task, run_tasks
from labbox.errors import ArchiveError, EngineError


def children() -> set[str]:
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return set(file.read().split())


def write(path: Path, name: str) -> list[str]:
    before = sorted(os.listdir(path))
    (path / name).touch()
    return before


def test_answers_come_in_the_order_of_the_tasks() -> None:
    told: list[int] = []
    assert run_tasks([Task(partial(pow, number, 2), number) for number in range(50)], progress=told.append) == [
        number**2 for number in range(50)
    ]
    assert told == sorted(told)
    assert told[-1] == sum(range(50))
    assert run_tasks([]) == []


def test_a_task_waits_for_those_it_comes_after(tmp_path: Path) -> None:
    tasks = [Task(partial(write, tmp_path, "last"), after=(1, 2, 3))]
    tasks += [Task(partial(write, tmp_path, f"first{number}")) for number in (1, 2, 3)]
    assert run_tasks(tasks)[0] == ["first1", "first2", "first3"]


def fail() -> None:
    raise ArchiveError("this one")


@pytest.mark.parametrize(
    ("work", "error", "message"),
    [
        (fail, ArchiveError, "this one"),
        (partial(os.stat, "/nowhere"), FileNotFoundError, "nowhere"),
        (partial(divmod, 1, 0), EngineError, "ZeroDivisionError"),
        (partial(os._exit, 3), EngineError, "ended before"),
    ],
)
def test_a_failure_ends_all_and_leaves_no_process(work: object, error: type[Exception], message: str) -> None:
    before = children()
    start = time.monotonic()
    with pytest.raises(error, match=message):
        run_tasks([Task(work), *(Task(partial(time.sleep, 100)) for _ in range(9))])  # type: ignore[arg-type]
    assert children() == before
    assert time.monotonic() - start < 50


def test_an_interrupt_ends_all_and_leaves_no_process() -> None:
    before = children()

    def interrupt(_done: int) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_tasks([Task(int), *(Task(partial(time.sleep, 100)) for _ in range(9))], progress=interrupt)
    assert children() == before
