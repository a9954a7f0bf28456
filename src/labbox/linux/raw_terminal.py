"""The user's own terminal, passed through whole while a container's terminal is attached to it (termios(3))."""

import termios

from labbox.lightweight_modules import contextmanager
from labbox.lightweight_typing import Iterator


@contextmanager
def raw_mode(descriptor: int) -> Iterator[None]:
    """Pass every key through while the body runs, and restore the terminal whatever happens (termios(3))."""
    saved = termios.tcgetattr(descriptor)
    raw = termios.tcgetattr(descriptor)
    raw[0] &= ~(
        termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP
        | termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON
    )  # fmt: skip
    raw[1] &= ~termios.OPOST
    raw[2] = (raw[2] & ~(termios.CSIZE | termios.PARENB)) | termios.CS8
    raw[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
    termios.tcsetattr(descriptor, termios.TCSANOW, raw)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, saved)
