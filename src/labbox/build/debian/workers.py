"""The same function on many arguments in several forked processes, each taking the next when it is free."""

import os
import pickle
import select
import struct
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from labbox.errors import LabboxError, PackageError
from labbox.linux.process import fork
from labbox.processes import effective_cpu_count

_HEAD = struct.Struct("=II")  # number of the argument, length of the pickled answer
_NUMBER = struct.Struct("=I")
_MAXIMUM_WORKERS = 16
_Argument = TypeVar("_Argument")
_Answer = TypeVar("_Answer")


def run_in_workers(
    function: Callable[[_Argument], _Answer],
    arguments: Sequence[_Argument],
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[_Answer]:
    """The answers in the order of the arguments; the first exception of a worker is raised here.

    Arguments are taken in order: put the largest first. Workers are forked, so they share what is in memory and open.
    """
    queue_reader, queue_writer = os.pipe2(os.O_CLOEXEC)
    workers: dict[int, int] = {}  # descriptor of the answers → process
    try:
        for _ in range(min(effective_cpu_count(), _MAXIMUM_WORKERS, len(arguments))):
            reader, writer = os.pipe2(os.O_CLOEXEC)
            child = fork()
            if child == 0:
                os.close(queue_writer)
                _work(function, arguments, queue_reader, writer)
            os.close(writer)
            workers[reader] = child
        # A pipe holds 64 KiB: some 16,000 numbers, far more than packages.
        os.write(queue_writer, b"".join(_NUMBER.pack(number) for number in range(len(arguments))))
    finally:
        os.close(queue_writer)
        os.close(queue_reader)
    try:
        return _collect(workers, len(arguments), progress)
    finally:
        for reader, child in workers.items():
            os.close(reader)
            os.waitpid(child, 0)


def _work(function: Callable[[_Argument], _Answer], arguments: Sequence[_Argument], queue: int, writer: int) -> None:
    """A worker's life: take a number, answer, until the queue is empty. Does not return."""
    try:
        while number_bytes := os.read(queue, _NUMBER.size):
            (number,) = _NUMBER.unpack(number_bytes)
            try:
                answer = pickle.dumps((True, function(arguments[number])))
            except (LabboxError, OSError) as error:
                answer = pickle.dumps((False, error))
            data = memoryview(_HEAD.pack(number, len(answer)) + answer)
            while data:
                data = data[os.write(writer, data) :]
    finally:
        os._exit(0)


def _collect(workers: dict[int, int], count: int, progress: Callable[[int, int], None]) -> list[Any]:
    answers: dict[int, Any] = {}
    buffers = {reader: bytearray() for reader in workers}
    poller = select.poll()
    for reader in workers:
        poller.register(reader, select.POLLIN)
    open_readers = set(workers)
    while open_readers:
        for reader, _ in poller.poll():
            chunk = os.read(reader, 1 << 16)
            if not chunk:
                poller.unregister(reader)
                open_readers.discard(reader)
                continue
            buffers[reader] += chunk
            for number, answer in _take_answers(buffers[reader]):
                answers[number] = answer
                progress(len(answers), count)
    if len(answers) < count:
        raise PackageError("a worker process ended before its work was done")
    return [answers[number] for number in range(count)]


def _take_answers(buffer: bytearray) -> list[tuple[int, Any]]:
    """Whole answers at the start of a buffer, taken out of it; an answer that is an exception is raised."""
    found = []
    while len(buffer) >= _HEAD.size:
        number, length = _HEAD.unpack_from(buffer)
        end = _HEAD.size + length
        if len(buffer) < end:
            break
        succeeded, value = pickle.loads(bytes(buffer[_HEAD.size : end]))  # noqa: S301  (written by our own child)
        del buffer[:end]
        if not succeeded:
            raise value
        found.append((number, value))
    return found
