"""The programs that run inside labs, as files for an image."""

import os

from labbox.lock.lab import LockedInterpreter

SUPERVISOR = "/opt/labbox/bin/labbox-services"
JUPYTER_LAUNCHER = "/opt/labbox/share/labbox/start_jupyterlab.py"
_SOURCES = {SUPERVISOR: "supervisor.py", JUPYTER_LAUNCHER: "start_jupyterlab.py"}


def inside_programs(interpreter: LockedInterpreter) -> dict[str, bytes]:
    """The sources by their path in the image; a program starts on the given Python."""
    return {path: _with_interpreter(read_source(name), interpreter.path) for path, name in _SOURCES.items()}


def read_source(name: str) -> bytes:
    """A source file of `inside/`."""
    with open(os.path.join(os.path.dirname(__file__), "inside", name), "rb") as file:
        return file.read()


def _with_interpreter(source: bytes, python: str) -> bytes:
    """-I and -S: whatever variables and packages the lab has, the program is the same; and it starts faster."""
    if not source.startswith(b"#!"):
        return source
    return b"#!" + python.encode() + b" -IS\n" + source.partition(b"\n")[2]
