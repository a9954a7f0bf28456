"""The logs of a lab's services: what each has written, and what it writes from now on."""

import os
import sys
from time import sleep

from labbox.actions.lab.record import LabFolder
from labbox.errors import NotFoundError
from labbox.lightweight_typing import BinaryIO, Sequence

_LOOK_AGAIN_SECONDS = 0.2
_CHUNK = 1 << 16


def service_names(lab: LabFolder) -> list[str]:
    """The services that have a log, by name."""
    try:
        names = os.listdir(lab.logs)
    except FileNotFoundError:
        return []
    return sorted(name.removesuffix(".log") for name in names if name.endswith(".log"))


def print_service_logs(lab: LabFolder, names: Sequence[str], *, tail: int | None, follow: bool) -> None:
    """Print logs, each line behind its service's name when there are several; with `follow` until interrupted."""
    for name in names:
        if name not in service_names(lab):
            known = ", ".join(service_names(lab))
            raise NotFoundError(f"no log of a service `{name}`", hint=f"there are logs of {known}" if known else None)
    width = max((len(name) for name in names), default=0)
    logs = [_Log(lab, name, f"{name:<{width}} | ".encode() if len(names) > 1 else b"") for name in names]
    for log in logs:
        log.print_past(tail)
    while follow:
        sys.stdout.buffer.flush()
        sleep(_LOOK_AGAIN_SECONDS)
        for log in logs:
            log.print_news()


class _Log:
    """One service's log file, which may be replaced by a new one while it is read."""

    def __init__(self, lab: LabFolder, name: str, prefix: bytes) -> None:
        self._path = os.path.join(lab.logs, f"{name}.log")
        self._prefix = prefix
        self._file: BinaryIO = open(self._path, "rb")  # noqa: SIM115  (open while it is followed)
        self._rest = b""

    def print_past(self, tail: int | None) -> None:
        lines = self._file.read().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            self._rest = lines.pop()
        self._print(lines if tail is None else lines[len(lines) - tail :] if tail else [])

    def print_news(self) -> None:
        while data := self._file.read(_CHUNK):
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._print([line + b"\n" for line in lines])
        if self._is_replaced():
            self._file.close()
            self._file = open(self._path, "rb")  # noqa: SIM115  (as above)

    def _is_replaced(self) -> bool:
        try:
            return not os.path.samestat(os.fstat(self._file.fileno()), os.stat(self._path))
        except FileNotFoundError:
            return False

    def _print(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            sys.stdout.buffer.write(self._prefix + line)
