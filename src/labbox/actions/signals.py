"""Names of signals: `TERM`, `SIGTERM`, `15`, `RTMIN+3`."""

import signal

from labbox.errors import LabboxError

_HIGHEST = 64


def parse_signal(text: str) -> int:
    """The signal's number; LabboxError with docker's message when there is none of this name."""
    name = text.upper().removeprefix("SIG")
    if text.isascii() and text.isdigit():
        number = int(text)
    elif name.startswith(("RTMIN+", "RTMAX-")) and name[6:].isdigit():
        number = signal.SIGRTMIN + int(name[6:]) if "+" in name else signal.SIGRTMAX - int(name[6:])
    else:
        number = getattr(signal, f"SIG{name}", 0) if not name.startswith("_") else 0
    if not isinstance(number, int) or not 0 < number <= _HIGHEST:
        raise LabboxError(f"Invalid signal: {text}", hint="name it as in `kill -l`: TERM, INT, HUP, KILL, 15")
    return int(number)


def signal_name(number: int) -> str:
    """The usual name of a signal: `SIGTERM`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
