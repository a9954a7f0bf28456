"""Processes of this host, named so that a reused number is never mistaken for the old process."""

import os

from labbox.lightweight_typing import NamedTuple


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
    """The identity of a process that exists now; ProcessLookupError when it does not."""
    start_ticks = read_start_ticks(pid)
    if start_ticks is None:
        raise ProcessLookupError(pid)
    return ProcessIdentity(pid=pid, start_ticks=start_ticks, boot_id=boot_id())


def is_alive(identity: ProcessIdentity) -> bool:
    """True while the very process named by `identity` exists and is no zombie."""
    return identity.boot_id == boot_id() and read_start_ticks(identity.pid) == identity.start_ticks


def read_start_ticks(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat (proc_pid_stat(5)), or None for a process that is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def parent_of(pid: int) -> int | None:
    """The number of a process's parent, or None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(text[text.rindex(b")") + 2 :].split()[1])


def effective_cpu_count() -> int:
    """How many processors this process may run on."""
    return len(os.sched_getaffinity(0))
