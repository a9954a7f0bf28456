"""What a lab's services do, read from the folder that the host shares with the lab.

Whatever is in that folder was written by processes of the lab: it is read as a stranger's, never followed, never
waited for.
"""

import json
import os
import stat
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from labbox.errors import ConflictError, EngineError
from labbox.services.plan import ServicePlan

Report = Callable[[str, int, int], None]
STATES = ("starting", "ready", "failing", "stopped")
_PAUSE_SECONDS = 0.03
_SILENT_SECONDS = 30.0
_FAILURES_BEFORE_GIVING_UP = 3
_MOST_BYTES = 1 << 20
_SERVICE_TEXT = 500
_OPEN_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class ServiceState(NamedTuple):
    """A service as its supervisor sees it.

    `since` is when it got into this state (seconds since 1970), `exit` how it ended last, `failures` how often it has
    ended by itself since it was ready the last time, `health` a few words.
    """

    name: str
    state: str
    pid: int = 0
    restarts: int = 0
    failures: int = 0
    since: float = 0.0
    exit: str | None = None
    port: int | None = None
    health: str = ""

    @property
    def is_hopeless(self) -> bool:
        """True when waiting longer is of little use: it fails to start again and again, or does not answer in time."""
        return self.state == "failing" and (self.failures >= _FAILURES_BEFORE_GIVING_UP or self.pid != 0)


class FirstRun(NamedTuple):
    """The lines that a new container runs once: `running`, `done` or `failed`, and how they ended."""

    state: str
    exit: str | None = None


class LabState(NamedTuple):
    """All that status.json says."""

    services: tuple[ServiceState, ...]
    after_create: FirstRun | None = None


def read_state(path: str) -> LabState | None:
    """What status.json says; None when the supervisor has written nothing yet, or nothing sensible."""
    try:
        document = json.loads(_read(path, _MOST_BYTES))
        services = tuple(_service(name, members) for name, members in document["services"].items())
        first = document.get("after_create")
        return LabState(services, FirstRun(_text(first["state"]) or "", _text(first["exit"])) if first else None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def read_status(path: str) -> tuple[ServiceState, ...]:
    """The services as status.json has them; none when there is no such file yet."""
    state = read_state(path)
    return state.services if state else ()


def wait_for_services(
    path: str,
    plan: ServicePlan,
    report: Report,
    *,
    is_alive: Callable[[], bool] = lambda: True,
) -> tuple[ServiceState, ...]:
    """The services once each is ready or hopeless; `report` gets `services` (or `after-create`), how many, of how many.

    The file of an earlier start was removed before. EngineError when the lab's container ends meanwhile, or its
    supervisor says nothing at all.
    """
    reported, seen = (-1, ""), (0, 0)
    deadline = time.monotonic() + _SILENT_SECONDS
    while True:
        now = _stamp(path)
        if now != seen:
            seen, state = now, read_state(path)
            if state is not None:
                deadline = float("inf")
                ready = sum(service.state == "ready" for service in state.services)
                stage = "after-create" if state.after_create and state.after_create.state == "running" else "services"
                if (ready, stage) != reported:
                    reported = (ready, stage)
                    report(stage, ready, len(plan.names))
                if stage == "services" and all(s.state == "ready" or s.is_hopeless for s in state.services):
                    return state.services
        if not is_alive():
            raise EngineError("the lab's container has ended before its services were ready")
        if time.monotonic() > deadline:
            raise EngineError(f"the lab's services said nothing within {_SILENT_SECONDS:g} s")
        time.sleep(_PAUSE_SECONDS)


def request(run_folder: str, verb: str, service: str) -> None:
    """Ask the supervisor to `restart`, `stop` or `start` a service; ConflictError when no supervisor listens."""
    _write_control(run_folder, f"{verb} {service}\n".encode())


def restart_service(run_folder: str, service: str, report: Report) -> ServiceState:
    """The service once it runs anew and is ready or hopeless. ConflictError when it does not exist or nothing runs."""
    path = os.path.join(run_folder, "status.json")
    before = {state.name: state for state in read_status(path)}
    if service not in before:
        known = ", ".join(sorted(before)) or "none"
        raise ConflictError(f"the lab has no service `{service}`", hint=f"it has: {known}")
    request(run_folder, "restart", service)
    while True:
        _write_control(run_folder, b"")  # raises when the supervisor has ended
        state = next((state for state in read_status(path) if state.name == service), before[service])
        if state.restarts > before[service].restarts and (state.state == "ready" or state.is_hopeless):
            report("services", int(state.state == "ready"), 1)
            return state
        time.sleep(_PAUSE_SECONDS)


def read_log_tail(run_folder: str, service: str, lines: int = 20) -> list[str]:
    """The last lines of a service's log, without control characters; none when it has written nothing."""
    path = os.path.join(run_folder, "logs", f"{service}.log")
    try:
        data = _read(path, 200 * (lines + 1) * 4, from_end=True)
    except OSError:
        return []
    kept = data.decode(errors="replace").splitlines()[-lines:]
    return ["".join(c if c.isprintable() or c == "\t" else "�" for c in line) for line in kept]


def _write_control(run_folder: str, line: bytes) -> None:
    """Write to the supervisor's pipe; opening it fails when nobody reads (fifo(7), ENXIO)."""
    try:
        descriptor = os.open(os.path.join(run_folder, "control"), os.O_WRONLY | _OPEN_FLAGS)
    except OSError as error:
        raise _not_running() from error
    try:
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            raise _not_running()
        if line:
            os.write(descriptor, line)
    finally:
        os.close(descriptor)


def _not_running() -> ConflictError:
    return ConflictError("the lab's services do not run", hint="start them: labbox up")


def _read(path: str, most: int, *, from_end: bool = False) -> bytes:
    """At most so many bytes of a regular file; OSError for anything else."""
    descriptor = os.open(path, os.O_RDONLY | _OPEN_FLAGS)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"`{path}` is no file")
        if from_end and status.st_size > most:
            file.seek(-most, os.SEEK_END)
        return file.read(most)


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = os.lstat(path)
    except OSError:
        return 0, 0
    return status.st_ino, status.st_mtime_ns


def _service(name: str, members: dict[str, Any]) -> ServiceState:
    port = members.get("port")
    return ServiceState(
        name=_text(name) or "",
        state=members["state"] if members["state"] in STATES else "stopped",
        pid=int(members.get("pid", 0)),
        restarts=int(members.get("restarts", 0)),
        failures=int(members.get("failures", 0)),
        since=float(members.get("since", 0.0)),
        exit=_text(members.get("exit")),
        port=int(port) if port else None,
        health=_text(members.get("health", "")) or "",
    )


def _text(value: object) -> str | None:
    """Words for a terminal: short, without control characters."""
    if value is None:
        return None
    return "".join(c if c.isprintable() else "�" for c in str(value)[:_SERVICE_TEXT])
