import os
import time

import pytest

from labbox.build.debian.workers import run_in_workers
from labbox.errors import PackageError


def test_answers_come_in_the_order_of_the_arguments() -> None:
    def work(number: int) -> tuple[int, bytes]:
        return number * number, bytes(100_000)

    answers = run_in_workers(work, range(30))
    assert [number for number, _ in answers] == [number * number for number in range(30)]


def test_the_work_is_done_in_other_processes() -> None:
    assert os.getpid() not in run_in_workers(lambda _: os.getpid(), range(4))


def test_progress_reaches_the_end() -> None:
    seen: list[tuple[int, int]] = []
    run_in_workers(str, range(5), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 5) for number in range(1, 6)]


def test_the_error_of_a_worker_is_raised() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise PackageError("three")
        return number

    with pytest.raises(PackageError, match="three"):
        run_in_workers(work, range(6))


def test_a_worker_that_dies_is_an_error() -> None:
    def work(number: int) -> int:
        if number == 0:
            os._exit(1)
        time.sleep(0)
        return number

    with pytest.raises(PackageError, match="a worker process ended before its work was done"):
        run_in_workers(work, range(3))


def test_no_work_needs_no_worker() -> None:
    assert run_in_workers(str, []) == []
