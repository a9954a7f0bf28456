"""Namespaces: making, joining and asking about them (namespaces(7))."""

import fcntl
import os

from labbox.linux import libc

# linux/sched.h
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

_NS_GET_USERNS = 0xB701  # linux/nsfs.h: _IO(0xb7, 1)


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` for new ones (unshare(2))."""
    libc.syscall("unshare", flags)


def setns(descriptor: int, flags: int) -> None:
    """Join the namespaces of a process (a pidfd) or one namespace (an nsfs descriptor) (setns(2))."""
    libc.syscall("setns", descriptor, flags)


def open_namespace(pid: int, kind: str) -> int:
    """A descriptor of one namespace of a process; `kind` is a name under /proc/PID/ns."""
    return os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)


def owning_user_namespace(descriptor: int) -> int:
    """A descriptor of the user namespace that owns another namespace (ioctl_ns(2), NS_GET_USERNS)."""
    return fcntl.ioctl(descriptor, _NS_GET_USERNS)


def set_hostname(name: str) -> None:
    """Set the host name of this UTS namespace; limited to 64 bytes (sethostname(2))."""
    import socket  # noqa: PLC0415  (callers that set names already speak sockets; others need not load it)

    socket.sethostname(name)
