"""The processes of a running container as /proc shows them on the host (proc(5)): for `top` and `stats`."""

import os
import pwd
import time
from typing import NamedTuple

from labbox.engine.embedded.inside import list_processes
from labbox.engine.embedded.records import Container

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PSEUDO_TERMINAL_MAJORS = range(136, 144)  # Documentation/admin-guide/devices.txt, "Unix98 PTY slaves"


class ProcessFacts(NamedTuple):
    """One process; numbers are the host's, times in seconds (started: since 1970), memory in bytes."""

    pid: int
    parent_pid: int
    uid: int
    command: str
    cpu_seconds: float
    started: float
    terminal: int
    memory_bytes: int
    read_bytes: int
    written_bytes: int


def describe_processes(container: Container) -> list[ProcessFacts]:
    """Every process of a container, by number; one that ends meanwhile is left out."""
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    described = (_describe(pid, booted) for pid in list_processes(container))
    return [facts for facts in described if facts is not None]


def user_name(uid: int) -> str:
    """The host's name of a user, or the number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def terminal_name(device: int) -> str:
    """`pts/3`, or `?` for a process without a terminal."""
    major, minor = os.major(device), os.minor(device)
    if major in _PSEUDO_TERMINAL_MAJORS:
        return f"pts/{minor + (major - 136) * 256}"
    return "?"


def network_bytes(container: Container) -> tuple[int, int]:
    """Bytes received and sent in the container's network, all of which goes over its loopback device."""
    try:
        with open(f"/proc/{container.state.pid}/net/dev", encoding="ascii") as file:
            fields = [line.partition(":")[2].split() for line in file if ":" in line]
    except OSError:
        return 0, 0
    return sum(int(row[0]) for row in fields), sum(int(row[8]) for row in fields)


def _describe(pid: int, booted: float) -> ProcessFacts | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
        uid = os.stat(f"/proc/{pid}").st_uid
        command = _command(pid) or text[text.index(b"(") + 1 : text.rindex(b")")].decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    read_bytes, written_bytes = _io(pid)
    return ProcessFacts(
        pid=pid,
        parent_pid=int(fields[1]),
        uid=uid,
        command=command,
        cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND,
        started=booted + int(fields[19]) / _TICKS_PER_SECOND,
        terminal=int(fields[4]),
        memory_bytes=_memory(pid, int(fields[21]) * _PAGE_BYTES),
        read_bytes=read_bytes,
        written_bytes=written_bytes,
    )


def _command(pid: int) -> str:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")


def _memory(pid: int, resident_bytes: int) -> int:
    """The process's share of memory: what it shares with others counts in part (Pss)."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resident_bytes


def _io(pid: int) -> tuple[int, int]:
    try:
        with open(f"/proc/{pid}/io", encoding="ascii") as file:
            values = dict(line.split(": ") for line in file)
    except OSError:
        return 0, 0
    return int(values["read_bytes"]), int(values["write_bytes"])
