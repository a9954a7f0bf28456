"""A container's standard streams as the monitor holds them: pipes, or one terminal."""

import os
from collections.abc import Callable

from labbox.engine.embedded.logs import STDERR, STDOUT
from labbox.engine.embedded.loop import READABLE, WRITABLE, Loop
from labbox.linux import terminals

_READ_SIZE = 1 << 16
_INPUT_LIMIT = 1 << 18


class ContainerStreams:
    """Reads what the container writes and feeds its input, on the monitor's loop; `close` closes every descriptor.

    `on_output(stream, data)` answers False to pause reading until `resume`. `on_input_room` is called when input that
    had been refused is welcome again.
    """

    def __init__(
        self,
        loop: Loop,
        *,
        terminal: bool,
        open_stdin: bool,
        on_output: Callable[[int, bytes], bool],
        on_input_room: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._on_output = on_output
        self._on_input_room = on_input_room
        self._outputs: dict[int, int] = {}
        self._input = -1
        self._pending_input = bytearray()
        self._input_ends = False
        self._size: tuple[int, int] | None = None
        self._terminal = -1
        self._wants_terminal = terminal
        self.child_descriptors: list[int] = []
        if not terminal:
            self._open_pipes(open_stdin=open_stdin)

    def close_child_side(self) -> None:
        """After the fork: the container's ends belong to the container."""
        for descriptor in self.child_descriptors:
            os.close(descriptor)
        self.child_descriptors = []

    def use_terminal(self, master: int) -> None:
        """The container's terminal has been made: read from it and write to it."""
        os.set_blocking(master, False)
        self._terminal = self._input = master
        self._outputs[master] = STDOUT
        if self._size is not None:
            terminals.set_size(master, *self._size)
        self._watch()

    def resize(self, rows: int, columns: int) -> None:
        """Set the terminal's size in character cells; kept until there is one."""
        self._size = (rows, columns)
        if self._terminal >= 0:
            terminals.set_size(self._terminal, rows, columns)

    def write_input(self, data: bytes) -> bool:
        """Queue input; False when the queue is full enough that the sender should wait for `on_input_room`."""
        if self._input < 0 and not self._wants_terminal:
            return True
        self._pending_input += data
        self._flush_input()
        return len(self._pending_input) < _INPUT_LIMIT

    def end_input(self) -> None:
        """Close the container's input once the queue is empty; a terminal stays open, as docker leaves it."""
        if self._wants_terminal:
            return
        self._input_ends = True
        self._flush_input()

    def resume(self) -> None:
        """Read on after a pause."""
        self._watch()

    def drain(self) -> None:
        """After the last process has ended: read what is still in the pipes."""
        for descriptor in list(self._outputs):
            while self._read(descriptor):
                pass

    def close(self) -> None:
        """Close every descriptor."""
        self.close_child_side()
        for descriptor in list(self._outputs):
            self._forget(descriptor)
        self._close_input()

    def _open_pipes(self, *, open_stdin: bool) -> None:
        if open_stdin:
            child_input, self._input = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(self._input, False)
        else:
            child_input = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        self.child_descriptors = [child_input]
        for stream in (STDOUT, STDERR):
            reader, writer = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(reader, False)
            self._outputs[reader] = stream
            self.child_descriptors.append(writer)
        self._watch()

    def _watch(self) -> None:
        for descriptor in self._outputs:
            self._watch_output(descriptor)

    def _watch_output(self, descriptor: int) -> None:
        events = READABLE | (WRITABLE if descriptor == self._input and self._pending_input else 0)
        self._loop.watch(descriptor, events, lambda ready: self._ready(descriptor, ready))

    def _ready(self, descriptor: int, events: int) -> None:
        if events & WRITABLE:
            self._flush_input()
        if events & ~WRITABLE:
            self._read(descriptor)

    def _read(self, descriptor: int) -> bool:
        """Read once; False when there is nothing more now."""
        try:
            data = os.read(descriptor, _READ_SIZE)
        except BlockingIOError:
            return False
        except OSError:  # EIO: the terminal's last user has closed it (pty(7))
            data = b""
        if not data:
            self._forget(descriptor)
            return False
        if not self._on_output(self._outputs[descriptor], data):
            self._pause()
        return True

    def _pause(self) -> None:
        for descriptor in self._outputs:
            self._loop.unwatch(descriptor)

    def _forget(self, descriptor: int) -> None:
        self._loop.unwatch(descriptor)
        del self._outputs[descriptor]
        if descriptor == self._input:
            self._input = -1
        if descriptor == self._terminal:
            self._terminal = -1  # a later change of size must not reach whoever gets the number next
        os.close(descriptor)

    def _flush_input(self) -> None:
        if self._input < 0:
            return
        was_full = len(self._pending_input) >= _INPUT_LIMIT
        try:
            while self._pending_input:
                written = os.write(self._input, self._pending_input)
                del self._pending_input[:written]
        except BlockingIOError:
            pass
        except OSError:  # nobody reads any more
            self._pending_input.clear()
        self._after_flush(was_full=was_full)

    def _after_flush(self, *, was_full: bool) -> None:
        if was_full and len(self._pending_input) < _INPUT_LIMIT:
            self._on_input_room()
        if self._input == self._terminal and self._terminal >= 0:
            self._watch_output(self._terminal)
        elif self._pending_input:
            self._loop.watch(self._input, WRITABLE, lambda _ready: self._flush_input())
        elif self._input_ends:
            self._close_input()
        else:
            self._loop.unwatch(self._input)

    def _close_input(self) -> None:
        if self._input >= 0:
            self._loop.unwatch(self._input)
            os.close(self._input)
            self._input = -1
