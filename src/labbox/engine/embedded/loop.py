"""One thread waiting for many things: descriptors, timers and signals, on epoll(7)."""

import os
import select
import signal
from collections.abc import Callable
from heapq import heappop, heappush
from time import monotonic

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT
ALWAYS_REPORTED = select.EPOLLERR | select.EPOLLHUP


class Timer:
    """A call that will happen once, unless it is cancelled before."""

    __slots__ = ("callback", "deadline")

    def __init__(self, deadline: float, callback: Callable[[], None]) -> None:
        self.deadline = deadline
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Make sure the call does not happen; harmless when it has."""
        self.callback = None

    def __lt__(self, other: "Timer") -> bool:
        return self.deadline < other.deadline


class _Watch:
    """What to call for a descriptor, and the round of polling it was registered in."""

    __slots__ = ("callback", "events", "round")

    def __init__(self, events: int, callback: Callable[[int], None], registered_in: int) -> None:
        self.events = events
        self.callback = callback
        self.round = registered_in


class Loop:
    """Calls back when a descriptor is ready, a time has come or a signal has arrived; level-triggered.

    Callbacks run one at a time in the thread that called `run`; an exception of a callback leaves `run`.
    A descriptor is unwatched before it is closed. A child made by fork(2) calls `abandon` first.
    Regular files, which epoll refuses because they are always ready, are served all the same.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watches: dict[int, _Watch] = {}
        self._always_ready: set[int] = set()
        self._timers: list[Timer] = []
        self._signals: dict[int, Callable[[], None]] = {}
        self._former_handlers: dict[int, object] = {}
        self._wakeup: tuple[int, int] | None = None
        self._round = 0
        self._running = False

    def watch(self, descriptor: int, events: int, callback: Callable[[int], None]) -> None:
        """Call `callback(ready_events)` whenever any of `events` holds; replaces a former watch of the descriptor.

        Errors and hang-ups (EPOLLERR, EPOLLHUP) are reported whether asked for or not: see epoll_ctl(2).
        """
        known = self._watches.get(descriptor)
        if known is None:
            self._register(descriptor, events)
            self._watches[descriptor] = _Watch(events, callback, self._round)
            return
        if known.events != events:
            if descriptor not in self._always_ready:
                self._epoll.modify(descriptor, events)
            known.events = events
        known.callback = callback

    def unwatch(self, descriptor: int) -> None:
        """Forget a descriptor; harmless when it is not watched."""
        if self._watches.pop(descriptor, None) is None:
            return
        if descriptor in self._always_ready:
            self._always_ready.remove(descriptor)
        else:
            self._epoll.unregister(descriptor)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call once, `seconds` from now; the answer can cancel it."""
        timer = Timer(monotonic() + seconds, callback)
        heappush(self._timers, timer)
        return timer

    def on_signal(self, number: int, callback: Callable[[], None]) -> None:
        """Call back soon after the signal arrives, outside of any signal handler; only in the main thread.

        Signals that arrive in quick succession may be reported once, as the kernel itself does.
        """
        if self._wakeup is None:
            self._open_wakeup()
        if number not in self._signals:
            self._former_handlers[number] = signal.getsignal(number)
        self._signals[number] = callback
        # The interpreter writes the number into the wakeup pipe only for signals that have a Python handler.
        signal.signal(number, _do_nothing)

    def run(self) -> None:
        """Serve until `stop` is called, or until there is nothing left to wait for."""
        self._running = True
        while self._running and (self._watches or self._timers):
            self._run_once()
        self._running = False

    def stop(self) -> None:
        """Make `run` return after the callbacks that are already due."""
        self._running = False

    def close(self) -> None:
        """Release the loop's own descriptors and give signals their former handlers back; watched ones stay open."""
        for number, handler in self._former_handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what getsignal answered
        self._former_handlers.clear()
        self._signals.clear()
        if self._wakeup is not None:
            signal.set_wakeup_fd(-1)
        self.abandon()

    def abandon(self) -> None:
        """Leave the loop in a forked child: its signals no longer reach the parent's loop, its descriptors close."""
        if self._wakeup is not None:
            signal.set_wakeup_fd(-1)
            for descriptor in self._wakeup:
                os.close(descriptor)
            self._wakeup = None
        self._epoll.close()
        self._watches.clear()
        self._always_ready.clear()
        self._timers.clear()

    def _register(self, descriptor: int, events: int) -> None:
        try:
            self._epoll.register(descriptor, events)
        except PermissionError:  # a regular file or a folder
            self._always_ready.add(descriptor)

    def _run_once(self) -> None:
        self._round += 1
        ready = self._epoll.poll(self._seconds_to_wait())
        ready.extend((descriptor, READABLE | WRITABLE) for descriptor in self._always_ready)
        for descriptor, events in ready:
            watch = self._watches.get(descriptor)
            # A callback earlier in this round may have closed this descriptor, and its number may already name
            # another file: such news is about the old one. What is still true of the new one comes next round.
            if watch is None or watch.round == self._round:
                continue
            relevant = events & (watch.events | ALWAYS_REPORTED)
            if relevant:
                watch.callback(relevant)
        self._run_due_timers()

    def _seconds_to_wait(self) -> float:
        if self._always_ready:
            return 0.0
        while self._timers and self._timers[0].callback is None:
            heappop(self._timers)
        if not self._timers:
            return -1.0
        return max(0.0, self._timers[0].deadline - monotonic())

    def _run_due_timers(self) -> None:
        if not self._timers:
            return
        now = monotonic()
        due = []
        while self._timers and self._timers[0].deadline <= now:
            due.append(heappop(self._timers))
        for timer in due:
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()

    def _open_wakeup(self) -> None:
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup = (reader, writer)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self.watch(reader, READABLE, self._deliver_signals)

    def _deliver_signals(self, _events: int) -> None:
        assert self._wakeup is not None
        for number in dict.fromkeys(os.read(self._wakeup[0], 4096)):
            callback = self._signals.get(number)
            if callback is not None:
                callback()


def _do_nothing(_number: int, _frame: object) -> None:
    """A handler of Python's own, so that the interpreter notices the signal at all."""
