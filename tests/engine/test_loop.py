"""The event loop: descriptors, timers and signals in one thread."""

import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from functools import partial

import pytest

from labbox.engine.embedded.loop import READABLE, WRITABLE, Loop

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


def test_a_readable_descriptor_calls_back_until_it_is_unwatched(loop: Loop) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"ab")
    seen = []

    def read_one(events: int) -> None:
        assert events & READABLE
        seen.append(os.read(reader, 1))
        if len(seen) == 2:
            loop.unwatch(reader)

    loop.watch(reader, READABLE, read_one)
    loop.run()
    os.close(reader)
    os.close(writer)
    assert seen == [b"a", b"b"]


def test_the_end_of_a_pipe_is_reported_to_whoever_watches_it(loop: Loop) -> None:
    reader, writer = os.pipe()
    os.close(writer)
    loop.watch(reader, READABLE, lambda _events: loop.stop())
    loop.run()
    os.close(reader)


def test_watching_again_changes_events_and_callback(loop: Loop) -> None:
    left, right = socket.socketpair()
    loop.watch(left.fileno(), READABLE, lambda _events: pytest.fail("nothing to read"))
    loop.watch(left.fileno(), WRITABLE, lambda _events: loop.stop())
    loop.run()
    left.close()
    right.close()


def test_a_regular_file_is_always_ready(loop: Loop) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"whole")
        file.seek(0)
        pieces = []

        def read(_events: int) -> None:
            pieces.append(os.read(file.fileno(), 3))
            if not pieces[-1]:
                loop.unwatch(file.fileno())

        loop.watch(file.fileno(), READABLE, read)
        loop.run()
    assert b"".join(pieces) == b"whole"


def test_timers_fire_in_the_order_of_their_times(loop: Loop) -> None:
    order: list[str] = []
    loop.call_later(0.02, lambda: order.append("second"))
    loop.call_later(0.01, lambda: order.append("first"))
    loop.call_later(0.03, loop.stop)
    loop.run()
    assert order == ["first", "second"]


def test_a_cancelled_timer_does_not_fire_and_does_not_hold_the_loop(loop: Loop) -> None:
    timer = loop.call_later(60, lambda: pytest.fail("was cancelled"))
    loop.call_later(0, timer.cancel)
    loop.call_later(0.01, loop.stop)
    loop.run()


def test_a_timer_may_set_a_timer(loop: Loop) -> None:
    counts: list[int] = []

    def again() -> None:
        counts.append(len(counts))
        if len(counts) < 3:
            loop.call_later(0, again)

    loop.call_later(0, again)
    loop.run()
    assert counts == [0, 1, 2]


def test_an_empty_loop_ends_at_once(loop: Loop) -> None:
    loop.run()


def test_news_about_a_closed_descriptor_never_reach_the_one_that_took_its_number(loop: Loop) -> None:
    first_reader, first_writer = os.pipe()
    second_reader, second_writer = os.pipe()
    os.write(first_writer, b"x")
    os.write(second_writer, b"x")
    numbers = {first_reader, second_reader}
    seen: list[int] = []
    replaced: list[tuple[int, int]] = []

    def replace_other(own: int, _events: int) -> None:
        seen.append(own)
        other = (numbers - {own}).pop()
        loop.unwatch(own)
        loop.unwatch(other)
        os.close(other)
        fresh_reader, fresh_writer = os.pipe()
        replaced.append((fresh_reader, fresh_writer))
        assert fresh_reader == other
        loop.watch(fresh_reader, READABLE, lambda _events: pytest.fail("nothing was written to the new pipe"))
        loop.call_later(0, loop.stop)

    for reader in numbers:
        loop.watch(reader, READABLE, partial(replace_other, reader))
    loop.run()
    assert len(seen) == 1
    for descriptor in (seen[0], first_writer, second_writer, *replaced[0]):
        os.close(descriptor)


def test_a_signal_calls_back_and_its_former_handler_returns_on_closing() -> None:
    loop = Loop()
    former = signal.getsignal(signal.SIGUSR1)
    loop.on_signal(signal.SIGUSR1, loop.stop)
    os.kill(os.getpid(), signal.SIGUSR1)
    loop.run()
    loop.close()
    assert signal.getsignal(signal.SIGUSR1) is former


def test_signals_of_a_forked_child_that_left_the_loop_stay_with_the_child(loop: Loop) -> None:
    loop.on_signal(signal.SIGUSR1, lambda: pytest.fail("the signal was the child's"))
    child = os.fork()
    if child == 0:
        loop.abandon()
        os.kill(os.getpid(), signal.SIGUSR1)
        os._exit(0)
    os.waitpid(child, 0)
    loop.call_later(0.05, loop.stop)
    loop.run()


def test_an_exception_of_a_callback_leaves_the_loop(loop: Loop) -> None:
    def fail() -> None:
        raise LookupError("from inside")

    loop.call_later(0, fail)
    with pytest.raises(LookupError, match="from inside"):
        loop.run()
