"""What a process can say about itself and others: prctl(2), pidfds, descriptors."""

import ctypes
import os

from labbox.lightweight_modules import signal
from labbox.linux import libc

# linux/prctl.h
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

# Two that nobody may catch, and those below SIGRTMIN that the C library keeps for itself (signal(7)).
_NOT_OURS_TO_SET = {signal.SIGKILL, signal.SIGSTOP, *range(32, signal.SIGRTMIN)}

_prctl = libc.declare("prctl", ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)


def prctl(option: int, argument: int = 0, third: int = 0) -> int:
    """Operate on this process (prctl(2)); unused arguments are zero."""
    result = int(_prctl(option, argument, third, 0, 0))
    if result == -1:
        libc.raise_errno(f"prctl {option}")
    return result


def set_process_name(name: str) -> None:
    """Set what `ps` shows as the command (PR_SET_NAME, 15 bytes)."""
    buffer = ctypes.create_string_buffer(os.fsencode(name)[:15], 16)
    prctl(PR_SET_NAME, ctypes.addressof(buffer))


def set_command_line(text: str) -> None:
    """Replace what /proc/PID/cmdline shows, within the room that the real arguments take (proc_pid_stat(5))."""
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end, fields 48 and 49
    data = os.fsencode(text)[: end - start - 1]
    ctypes.memmove(start, data.ljust(end - start, b"\0"), end - start)


def fork() -> int:
    """A new process: 0 in it, its number here; a ctrl-c that comes meanwhile is raised afterwards (fork(2)).

    Python runs functions of its own around a fork (os.register_at_fork), and drops what is raised in them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return os.fork()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def pidfd_open(pid: int) -> int:
    """A descriptor of a process, readable once it has ended (pidfd_open(2))."""
    return os.pidfd_open(pid)


def pidfd_send_signal(descriptor: int, number: int) -> None:
    """Send a signal to the very process behind a pidfd; ProcessLookupError when it is gone (pidfd_send_signal(2))."""
    libc.syscall("pidfd_send_signal", descriptor, number, None, 0)


def close_from(first: int, keep: tuple[int, ...] = ()) -> None:
    """Close every descriptor from `first` on, save those in `keep` (close_range(2))."""
    for kept in sorted({number for number in keep if number >= first}):
        if first < kept:
            libc.syscall("close_range", first, kept - 1, 0)
        first = kept + 1
    libc.syscall("close_range", first, 0xFFFFFFFF, 0)


def reset_signals() -> None:
    """Default action for every signal and none blocked, as a program expects to be started."""
    for number in range(1, signal.NSIG):
        if number not in _NOT_OURS_TO_SET:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
