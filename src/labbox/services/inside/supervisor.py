#!/usr/bin/python3 -IS
"""labbox-services: starts a lab's services, sees that they answer, starts the dead ones again.

    labbox-services [ROOT]

is the main process of a lab's container. It reads ROOT/opt/labbox/etc/services.json. Where ROOT/run/labbox is a folder
(labbox made it, the host sees it), there are

    token         read: the secret that opens JupyterLab
    status.json   written, whole at any moment: what state each service is in
    logs/NAME.log what a service writes; NAME.log.1 is what was there before the file grew too large
    control       a pipe that takes lines: `restart NAME`, `stop NAME`, `start NAME`

Without that folder (plain `docker run`) the services' output goes to stdout, and the link that opens JupyterLab too.

This file is copied into images and runs on their Python (3.9 or later): it uses a few modules of the standard library
and nothing else. It must stay small, as it sits in every lab's memory.
"""

from __future__ import annotations

import errno
import heapq
import json
import os
import select
import signal
import socket
import stat
import sys
import time

TYPE_CHECKING = False  # importing typing for this would cost a megabyte in every lab
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0  # seconds between a service's end and its next start; doubled each time
SETTLED_AFTER = 60.0  # a service that lived this long starts anew with the first delay
CHECK_OFTEN, CHECK_LATER, CHECK_AGAIN, CHECK_READY = 0.1, 0.2, 1.0, 10.0  # seconds between two health checks
OFTEN_FOR = 10.0  # how long a start is looked at often
PROBE_TIMEOUT = 5.0
MISSES_TOLERATED = 3  # a busy service may be late to answer
QUIET_START = 0.5  # a service without a port is ready when it lived this long
KILL_AFTER = 3.0  # between SIGTERM and SIGKILL; `docker stop` waits 10 s in all
LOG_BYTES = 4 << 20
GOOD_ANSWERS = (*range(200, 400), 401, 403)  # a page that wants a login answers


class Timers:
    """What is to be done later, by the monotonic clock."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def add(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` in so many seconds."""
        self._count += 1
        heapq.heappush(self._heap, (time.monotonic() + seconds, self._count, action))

    def next_milliseconds(self) -> int | None:
        """How long to wait for the next thing to be due, rounded up; None when there is none."""
        return max(int((self._heap[0][0] - time.monotonic()) * 1000) + 1, 0) if self._heap else None

    def run_due(self) -> None:
        """Do what is due."""
        while self._heap and self._heap[0][0] <= time.monotonic():
            heapq.heappop(self._heap)[2]()


class Loop:
    """Waits for descriptors and for the clock."""

    def __init__(self) -> None:
        self.timers = Timers()
        self._poll = select.poll()
        self._actions: dict[int, Callable[[], object]] = {}

    def watch(self, descriptor: int, events: int, action: Callable[[], object]) -> None:
        """Call `action` whenever one of the events is there."""
        self._poll.register(descriptor, events)
        self._actions[descriptor] = action

    def forget(self, descriptor: int) -> None:
        """Watch a descriptor no longer."""
        if self._actions.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def turn(self) -> None:
        """Wait for something to happen, and do what belongs to it."""
        for descriptor, _ in self._poll.poll(self.timers.next_milliseconds()):
            action = self._actions.get(descriptor)
            if action is not None:
                action()
        self.timers.run_due()


class Log:
    """Where a service's output goes: a file of limited size, or stdout with the service's name before each line."""

    def __init__(self, name: str, folder: str | None) -> None:
        self._name = name
        self._path = folder and f"{folder}/{name}.log"
        self._descriptor = -1
        self._size = 0
        self._line = b""

    def write(self, data: bytes) -> None:
        """Take some bytes; what cannot be written (full disk, closed stdout) is lost, the service goes on."""
        try:
            if self._path:
                self._write_file(self._path, data)
            else:
                self._write_lines(data)
        except OSError:
            self._close()

    def note(self, text: str) -> None:
        """A line of our own."""
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.write(f"[labbox {when}] {text}\n".encode(errors="backslashreplace"))

    def _write_file(self, path: str, data: bytes) -> None:
        if self._descriptor < 0:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            self._size = os.fstat(self._descriptor).st_size
        write_all(self._descriptor, data)
        self._size += len(data)
        if self._size > LOG_BYTES:
            self._close()
            os.replace(path, path + ".1")

    def _write_lines(self, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        if len(self._line) > 1 << 16:
            lines, self._line = [*lines, self._line], b""
        prefix = self._name.encode() + b" | "
        write_all(1, b"".join(prefix + line + b"\n" for line in lines))

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Probe:
    """One question to a port of this machine: whether it takes a connection, and whether a path answers."""

    def __init__(self, loop: Loop, port: int, path: str | None, report: Callable[[str | None], None]) -> None:
        self._loop = loop
        self._report: Callable[[str | None], None] | None = report
        self._request = (
            f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: labbox\r\n\r\n".encode() if path else b""
        )
        self._answer = b""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        code = self._socket.connect_ex(("127.0.0.1", port))
        if code in (0, errno.EINPROGRESS):
            loop.watch(self._socket.fileno(), select.POLLOUT, self._on_connected)
            loop.timers.add(PROBE_TIMEOUT, lambda: self._finish(f"no answer within {PROBE_TIMEOUT:g} s"))
        else:
            loop.timers.add(0, lambda: self._finish(os.strerror(code)))

    def cancel(self) -> None:
        """Ask no longer; nothing is reported."""
        self._report = None
        self._finish(None)

    def _on_connected(self) -> None:
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code or not self._request:
            self._finish(os.strerror(code) if code else None)
            return
        try:
            self._socket.send(self._request)
        except OSError as error:
            self._finish(error.strerror or str(error))
            return
        self._loop.forget(self._socket.fileno())
        self._loop.watch(self._socket.fileno(), select.POLLIN, self._on_answer)

    def _on_answer(self) -> None:
        try:
            data = self._socket.recv(4096)
        except OSError as error:
            self._finish(error.strerror or str(error))
            return
        self._answer += data
        if data and b"\n" not in self._answer and len(self._answer) < 4096:
            return
        line = self._answer.split(b"\r\n")[0].split(b"\n")[0].split(b" ")
        code = int(line[1]) if len(line) > 1 and line[1].isdigit() else 0
        good = line[0].startswith(b"HTTP/") and code in GOOD_ANSWERS
        self._finish(None if good else f"answers with status {code}" if code else "answers, but not as HTTP")

    def _finish(self, fault: str | None) -> None:
        if self._socket.fileno() >= 0:
            self._loop.forget(self._socket.fileno())
            self._socket.close()
        report, self._report = self._report, None
        if report is not None:
            report(fault)


class Service:
    """A program that is kept running."""

    def __init__(self, lab: Lab, entry: dict[str, Any]) -> None:
        self.name: str = entry["name"]
        self.port: int | None = entry.get("port")
        self.pid = 0
        self.state = "stopped"
        self._lab = lab
        self._entry = entry
        self._argv: list[str] = entry["argv"] + ([] if lab.run_folder else entry.get("argv_alone", []))
        health = entry.get("health") or {}
        self._path: str | None = health.get("path")
        self._timeout = float(health.get("timeout", 60.0))
        self.log = Log(self.name, lab.log_folder)
        self._wanted = False
        self._is_told = False  # to end
        self._at_once = False  # its end was asked for, so that it starts anew
        self._delay = FIRST_DELAY
        self._started = 0.0
        self._misses = 0
        self._restarts = 0
        self._failures = 0
        self._since = time.time()
        self._exit: str | None = None
        self._health = ""
        self._probe: Probe | None = None

    def start(self) -> None:
        """Start it, unless it runs."""
        self._wanted = True
        if self.pid:
            self._at_once = self._is_told
            return
        environment = {**os.environ, **self._lab.secrets(self._entry), **self._entry.get("environment", {})}
        self._started = time.monotonic()
        self._misses = 0
        try:
            self.pid = self._lab.spawn(self._argv, environment, self._entry.get("folder", "/"), self.log)
        except OSError as error:
            self._on_failure(f"cannot be started: {error}")
            return
        self._set("starting", "no answer yet" if self.port else "")
        self._check_in(CHECK_OFTEN if self.port else QUIET_START)

    def stop(self) -> None:
        """End it; it is not started again."""
        self._wanted = False
        self._at_once = False
        if self.pid:
            self._terminate()
        else:
            self._set("stopped", "")

    def restart(self) -> None:
        """End it and start it, without waiting for its turn."""
        self._wanted = True
        self._delay = FIRST_DELAY
        self._failures = 0
        if self.pid:
            self._at_once = True
            self._set("starting", "is asked to end")
            self._terminate()
        else:
            self._restarts += 1
            self.start()

    def on_end(self, status: int) -> None:
        """Its process has ended: start it again, now or later, unless it was told to stop."""
        self.pid = 0
        self._is_told = False
        if self._probe is not None:
            self._probe.cancel()
            self._probe = None
        text = describe_end(status)
        if not self._wanted:
            self._exit = text
            self._set("stopped", "")
        elif self._at_once:
            self._at_once = False
            self._restarts += 1
            self.log.note(f"service `{self.name}` ended ({text}) and starts anew, as asked for")
            self.start()
        else:
            self._on_failure(text)

    def document(self) -> dict[str, Any]:
        """What status.json says about it."""
        return {
            "state": self.state,
            "pid": self.pid,
            "restarts": self._restarts,
            "failures": self._failures,
            "since": round(self._since, 3),
            "exit": self._exit,
            "port": self.port,
            "health": self._health,
        }

    def _on_failure(self, text: str) -> None:
        """It ended by itself, or could not be started: try again after a while, each time a longer one."""
        if time.monotonic() - self._started >= SETTLED_AFTER:
            self._delay = FIRST_DELAY
        delay, self._delay = self._delay, min(self._delay * 2, LONGEST_DELAY)
        self._exit = text
        self._failures += 1
        self._set("failing", f"starts again in {delay:g} s")
        self._note(f"service `{self.name}`: {text}; starts again in {delay:g} s")
        started = self._started
        self._lab.loop.timers.add(delay, lambda: self._start_again(started))

    def _start_again(self, started: float) -> None:
        if self._wanted and not self.pid and self._started == started:
            self._restarts += 1
            self.start()

    def _terminate(self) -> None:
        pid = self.pid
        self._is_told = True
        signal_group(pid, signal.SIGTERM)
        self._lab.loop.timers.add(KILL_AFTER, lambda: signal_group(pid, signal.SIGKILL) if self.pid == pid else None)

    def _check_in(self, seconds: float) -> None:
        pid = self.pid
        self._lab.loop.timers.add(seconds, lambda: self._check() if self.pid == pid else None)

    def _check(self) -> None:
        if not self.port:
            self._on_answer(None)
            return
        try:
            self._probe = Probe(self._lab.loop, self.port, self._path, self._on_answer)
        except OSError as error:  # no descriptors left
            self._on_answer(str(error))

    def _on_answer(self, fault: str | None) -> None:
        """A health check has its answer: None when all is well."""
        self._probe = None
        if fault is None:
            self._on_ready()
            return
        elapsed = time.monotonic() - self._started
        self._misses += 1
        if self.state == "ready" and self._misses < MISSES_TOLERATED:
            self._check_in(CHECK_AGAIN)
            return
        if self.state == "starting" and (elapsed < self._timeout or self._at_once):
            self._check_in(CHECK_OFTEN if elapsed < OFTEN_FOR else CHECK_LATER)
            return
        if self.state != "failing":
            self._note(f"service `{self.name}` does not answer on port {self.port}: {fault}")
        self._set("failing", f"port {self.port}: {fault}")
        self._check_in(CHECK_AGAIN)

    def _on_ready(self) -> None:
        self._misses = 0
        self._failures = 0
        if not self._at_once:
            if self.state != "ready":
                self._lab.on_ready(self._entry)
            self._set("ready", "answers" if self.port else "")
        if self.port:
            self._check_in(CHECK_READY)

    def _note(self, text: str) -> None:
        self.log.note(text)
        self._lab.say(text)

    def _set(self, state: str, health: str) -> None:
        if state != self.state:
            self._since = time.time()
        self.state, self._health = state, health
        self._lab.is_changed = True


class Lab:
    """All services, and what they share: the loop, the token, the folder that the host sees."""

    def __init__(self, root: str) -> None:
        document = read_json(f"{root}/opt/labbox/etc/services.json")
        run_folder = f"{root}/run/labbox"
        self.loop = Loop()
        self.run_folder = run_folder if os.path.isdir(run_folder) else None
        self.log_folder = self.run_folder and make_folder(f"{run_folder}/logs")
        self.is_changed = True
        self._is_ending = False
        self._outputs: dict[int, Log] = {}
        self._token = read_token(self.run_folder)
        self._services = [Service(self, entry) for entry in document["services"]]
        self._lines: list[str] = document.get("after_create", [])
        self._marker = f"{root}/var/lib/labbox/after-create"
        self._first_folder = f"{root}/workspace"
        self._first_pid = 0
        self._first: dict[str, Any] | None = None
        self._last_status = ""

    def run(self) -> None:
        """Run until told to end."""
        self._take_signals()
        self._open_control()
        if self._lines and not os.path.exists(self._marker):
            self._start_first()
        else:
            self._start_services()
        while not (self._is_ending and not self._living()):
            self._write_status()
            self.loop.turn()
        for descriptor in list(self._outputs):
            while self._on_output(descriptor):
                pass
        self._write_status()

    def spawn(self, argv: list[str], environment: dict[str, str], folder: str, log: Log) -> int:
        """Start a program in a session of its own, its output going to a log; OSError when that fails."""
        output, output_end = os.pipe()
        failure, failure_end = os.pipe()
        try:
            pid = os.fork()
        except OSError:
            for descriptor in (output, output_end, failure, failure_end):
                os.close(descriptor)
            raise
        if pid == 0:
            execute(argv, environment, folder, output_end, failure_end)
        os.close(output_end)
        os.close(failure_end)
        os.set_blocking(output, False)
        self._outputs[output] = log
        self.loop.watch(output, select.POLLIN, lambda: self._on_output(output))
        with open(failure, encoding="utf-8", errors="replace") as file:
            text = file.read()  # ends when the program is executed
        if text:
            os.waitpid(pid, 0)
            self._on_output(output)
            raise OSError(text)
        return pid

    def secrets(self, entry: dict[str, Any]) -> dict[str, str]:
        """The token, for the service that asks for it, in the variable that it names."""
        name = entry.get("token_variable")
        return {name: self._token} if name else {}

    def on_ready(self, entry: dict[str, Any]) -> None:
        """Without labbox on the host, nobody else prints the link."""
        link = entry.get("link")
        if link and not self.run_folder:
            self.say(f"http://127.0.0.1:{entry['port']}{link.replace('{token}', self._token)}")

    def say(self, text: str) -> None:
        """A line of our own on stdout."""
        try:
            write_all(1, f"labbox | {text}\n".encode(errors="backslashreplace"))
        except OSError:
            return

    def _start_services(self) -> None:
        for service in self._services:
            service.start()

    def _start_first(self) -> None:
        """Run the lines that a new container wants to be run once."""
        argv = ["/bin/sh", "-ex", "-c", "\n".join(self._lines)]
        log = Log("after-create", self.log_folder)
        self._first = {"state": "running", "exit": None}
        try:
            self._first_pid = self.spawn(argv, dict(os.environ), self._first_folder, log)
        except OSError as error:
            log.note(f"after_create cannot be started: {error}")
            self._finish_first("failed", str(error))

    def _finish_first(self, state: str, text: str) -> None:
        self._first_pid = 0
        self._first = {"state": state, "exit": text}
        self.is_changed = True
        if self._is_ending:
            return
        if state == "failed":
            self.say(f"after_create failed: {text}")
        try:
            with open(self._marker, "w", encoding="utf-8") as file:
                file.write(text + "\n")
        except OSError as error:
            self.say(f"after_create will run again, as nothing can be noted: {error}")
        self._start_services()

    def _on_output(self, descriptor: int) -> bool:
        """Move a piece of what a service wrote to its log; False when there is no more now. At its end forget it."""
        if descriptor not in self._outputs:
            return False
        try:
            data = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return False
        if data:
            self._outputs[descriptor].write(data)
            return True
        self.loop.forget(descriptor)
        os.close(descriptor)
        del self._outputs[descriptor]
        return False

    def _take_signals(self) -> None:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)  # else the wakeup descriptor stays silent
        self.loop.watch(reader, select.POLLIN, lambda: self._on_signals(os.read(reader, 512)))

    def _on_signals(self, numbers: bytes) -> None:
        if signal.SIGTERM in numbers or signal.SIGINT in numbers:
            self._end()
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            self._reap(ended.si_pid)

    def _reap(self, pid: int) -> None:
        """Take a dead process away: one of ours with what is left of its group, or an orphan (as process 1)."""
        service = next((service for service in self._services if service.pid == pid), None)
        if service is not None or pid == self._first_pid:
            signal_group(pid, signal.SIGKILL)  # before the wait: until then no other group can have this number
        _, status = os.waitpid(pid, 0)
        if service is not None:
            for descriptor, log in list(self._outputs.items()):
                if log is service.log:
                    self._on_output(descriptor)
            service.on_end(status)
        elif pid == self._first_pid:
            self._finish_first("failed" if status else "done", describe_end(status))

    def _end(self) -> None:
        self._is_ending = True
        for service in self._services:
            service.stop()
        if self._first_pid:
            signal_group(self._first_pid, signal.SIGTERM)
            pid = self._first_pid
            self.loop.timers.add(
                KILL_AFTER, lambda: signal_group(pid, signal.SIGKILL) if self._first_pid == pid else None
            )

    def _living(self) -> bool:
        return bool(self._first_pid) or any(service.pid for service in self._services)

    def _open_control(self) -> None:
        """The pipe that commands come through; open for both directions, so that it never ends."""
        if not self.run_folder:
            return
        path = f"{self.run_folder}/control"
        try:
            if os.path.lexists(path):
                os.unlink(path)
            os.mkfifo(path, 0o600)
            descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        except OSError as error:
            self.say(f"services cannot be restarted one by one: {error}")
            return
        self.loop.watch(descriptor, select.POLLIN, lambda: self._on_commands(os.read(descriptor, 4096)))

    def _on_commands(self, data: bytes) -> None:
        for line in data.decode(errors="replace").splitlines():
            verb, _, name = line.partition(" ")
            for service in self._services:
                if service.name == name and verb in ("start", "stop", "restart") and not self._is_ending:
                    {"start": service.start, "stop": service.stop, "restart": service.restart}[verb]()

    def _write_status(self) -> None:
        if not self.is_changed or not self.run_folder:
            return
        services = {service.name: service.document() for service in self._services}
        text = json.dumps({"version": 1, "pid": os.getpid(), "after_create": self._first, "services": services})
        self.is_changed = False
        if text == self._last_status:
            return
        path = f"{self.run_folder}/status.json"
        try:
            with open(path + ".new", "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(path + ".new", path)
        except OSError:  # a full disk: try again with the next event
            self.is_changed = True
            return
        self._last_status = text


def execute(argv: list[str], environment: dict[str, str], folder: str, output: int, failure: int) -> None:
    """In a new process: become the program, or write to `failure` why not. Never returns."""
    try:
        os.setsid()
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(folder)
        os.execvpe(argv[0], argv, environment)
    except OSError as error:
        where = folder if error.filename == folder else argv[0]
        os.write(failure, f"{error.strerror}: `{where}`".encode(errors="replace"))
    finally:
        os._exit(127)


def signal_group(pid: int, number: int) -> None:
    """Send a signal to a process group, which may be gone."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def describe_end(status: int) -> str:
    """How a process ended, in words."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"killed by {signal.Signals(number).name if number in signal.Signals.__members__.values() else number}"
    return f"exit code {os.WEXITSTATUS(status)}"


def read_token(run_folder: str | None) -> str:
    """The token that labbox made, else the one in the environment, else a new one."""
    if run_folder:
        try:
            with open(f"{run_folder}/token", encoding="ascii") as file:
                token = file.read().strip()
        except FileNotFoundError:
            token = ""
        if token:
            return token
    return os.environ.get("JUPYTER_TOKEN") or os.urandom(24).hex()


def read_json(path: str) -> dict[str, Any]:
    """The document in a file."""
    with open(path, encoding="utf-8") as file:
        document: dict[str, Any] = json.load(file)
    return document


def make_folder(path: str) -> str:
    """The folder, made when it is not there."""
    if not (os.path.lexists(path) and stat.S_ISDIR(os.lstat(path).st_mode)):
        os.mkdir(path, 0o700)
    return path


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def main() -> None:
    """Run the services until told to end."""
    try:
        lab = Lab(sys.argv[1] if len(sys.argv) > 1 else "")
    except (OSError, ValueError, KeyError) as error:
        raise SystemExit(f"labbox-services: {type(error).__name__}: {error}") from error
    lab.run()


if __name__ == "__main__":
    main()
