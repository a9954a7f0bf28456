import os
import signal

import pytest

from labbox.build.children import Report, call_in_child
from labbox.errors import EngineError, PackageError


def _ignore(_stage: str, _done: int, _total: int) -> None:
    return


def test_the_result_of_a_child_comes_back() -> None:
    assert call_in_child(lambda _: os.getppid(), _ignore, what="the child") == os.getpid()


def test_what_a_child_reports_is_reported() -> None:
    seen: list[tuple[str, int, int]] = []

    def work(report: Report) -> None:
        report("unpack", 1, 2)
        call_in_child(lambda inner: inner("unpack", 2, 2), report, what="the grandchild")

    call_in_child(work, lambda *message: seen.append(message), what="the child")
    assert seen == [("unpack", 1, 2), ("unpack", 2, 2)]


def test_an_error_of_a_child_is_raised_here_with_its_hint() -> None:
    def fail(_: Report) -> None:
        raise PackageError("no", hint="Try.")

    with pytest.raises(PackageError, match="no") as caught:
        call_in_child(fail, _ignore, what="the child")
    assert caught.value.hint == "Try."


def test_a_fault_of_our_own_says_where_it_is() -> None:
    def fail(_: Report) -> None:
        raise KeyError("x")

    with pytest.raises(EngineError, match=r"internal error in the build: KeyError: 'x' \(test_children.py:\d+\)"):
        call_in_child(fail, _ignore, what="the child")


def test_a_child_that_is_killed_is_named() -> None:
    with pytest.raises(EngineError, match=r"the child ended without an answer \(exit status -9\)"):
        call_in_child(lambda _: os.kill(os.getpid(), signal.SIGKILL), _ignore, what="the child")


def test_no_descriptor_is_left_open() -> None:
    before = os.listdir("/proc/self/fd")
    call_in_child(lambda _: None, _ignore, what="the child")
    assert os.listdir("/proc/self/fd") == before
