"""Processes of this host, named so that a reused number is never mistaken for the old process."""

import os

from labbox.lightweight_typing import NamedTuple

# Positions behind the command in /proc/PID/stat: fields 3 and 22.
_STATE = 0
_START_TICKS = 19


class ProcessIdentity(NamedTuple):
    """A process: its number, its start time in clock ticks after boot, and the boot it belongs to."""

    pid: int
    start_ticks: int
    boot_id: str


def boot_id() -> str:
    """The random identity of this boot of the kernel (proc_sys_kernel(5))."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def identify(pid: int) -> ProcessIdentity:
    """The identity of a process that exists now, be it a zombie; ProcessLookupError when it does not."""
    fields = _read_stat(pid)
    if fields is None:
        raise ProcessLookupError(pid)
    return ProcessIdentity(pid=pid, start_ticks=int(fields[_START_TICKS]), boot_id=boot_id())


def is_alive(identity: ProcessIdentity) -> bool:
    """True while the very process named by `identity` exists and is no zombie."""
    fields = _read_stat(identity.pid)
    if fields is None or fields[_STATE] in {b"Z", b"X"}:
        return False
    return int(fields[_START_TICKS]) == identity.start_ticks and identity.boot_id == boot_id()


def open_process(identity: ProcessIdentity) -> int:
    """A pidfd of the very process named by `identity`; ProcessLookupError when it is gone (pidfd_open(2))."""
    descriptor = os.pidfd_open(identity.pid)
    if is_alive(identity):
        return descriptor
    os.close(descriptor)
    raise ProcessLookupError(identity.pid)


def list_children(pid: int) -> list[int]:
    """The children of a process's main thread (proc_pid_task(5), children); none when it is gone."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except FileNotFoundError:
        return []


def _read_stat(pid: int) -> list[bytes] | None:
    """The fields of /proc/PID/stat behind the command (proc_pid_stat(5)), or None for a process that is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(b")") + 2 :].split()


def effective_cpu_count() -> int:
    """How many processors this process may run on."""
    return len(os.sched_getaffinity(0))
