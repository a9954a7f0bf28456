"""Pseudo-terminals across namespaces and the user's own terminal (pty(7), ioctl_tty(2))."""

import fcntl
import os
import struct
import termios

# asm-generic/ioctls.h
_TIOCSPTLCK = 0x40045431
_TIOCGPTPEER = 0x5441


def open_terminal(devices: str = "/dev/pts") -> tuple[int, int]:
    """A new pseudo-terminal of the devpts at `devices`: master and slave descriptors, without a path race."""
    master = os.open(os.path.join(devices, "ptmx"), os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    slave = fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    return master, slave


def make_controlling(slave: int) -> None:
    """Start a session whose controlling terminal is `slave`, and make it descriptors 0, 1 and 2."""
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for number in range(3):
        os.dup2(slave, number)


def set_size(descriptor: int, rows: int, columns: int) -> None:
    """Tell a terminal its size in character cells."""
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))


def get_size(descriptor: int) -> tuple[int, int]:
    """Rows and columns of a terminal; OSError when the descriptor is none."""
    rows, columns, _, _ = struct.unpack("4H", fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8)))
    return rows, columns
