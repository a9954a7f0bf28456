"""The supervisor as a real process of this machine, over a folder that stands for a lab's root."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from harness.waiting import wait_until
from labbox.services.inside_programs import SUPERVISOR, read_source
from labbox.services.status import ServiceState, read_status

HTTP = ("-m", "http.server", "--bind", "127.0.0.1")
# Answers connections only; never HTTP.
MUTE = "import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(1000)"


class Supervised:
    """A root folder with services.json and, while `running`, the supervisor."""

    def __init__(self, root: str, *, has_run: bool = True) -> None:
        self.root = root
        self.run = os.path.join(root, "run/labbox")
        self.status_path = os.path.join(self.run, "status.json")
        self.process: subprocess.Popen[bytes] | None = None
        folders = (
            "opt/labbox/etc",
            "opt/labbox/bin",
            "workspace",
            "var/lib/labbox",
            *(["run/labbox"] if has_run else []),
        )
        for name in folders:
            os.makedirs(os.path.join(root, name))
        with open(root + SUPERVISOR, "wb") as file:
            file.write(read_source("supervisor.py"))

    def write(self, *services: dict[str, Any], after_create: Sequence[str] = ()) -> None:
        """Write services.json."""
        with open(f"{self.root}/opt/labbox/etc/services.json", "w", encoding="utf-8") as file:
            json.dump({"version": 1, "after_create": list(after_create), "services": services}, file)

    @contextmanager
    def running(self, *before: str, **environment: str) -> Iterator["Supervised"]:
        """The supervisor runs; `before` is a command that it is started by."""
        self.process = subprocess.Popen(
            [*before, sys.executable, "-IS", self.root + SUPERVISOR, self.root],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )
        try:
            yield self
        finally:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
            finally:
                assert self.process.stdout is not None
                self.process.stdout.close()

    def end(self) -> tuple[int, str]:
        """End the supervisor: its exit code and what it has written."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=10)
        return self.process.returncode, output.decode()

    def state(self, name: str) -> ServiceState:
        """What is known of a service."""
        return next((state for state in read_status(self.status_path) if state.name == name), ServiceState(name, ""))

    def wait_for(self, name: str, *, restarts: int = 0, **wanted: Any) -> ServiceState:
        """The service's state once it is as wanted."""

        def found() -> ServiceState | None:
            state = self.state(name)
            right = state.restarts >= restarts and all(getattr(state, key) == value for key, value in wanted.items())
            return state if right else None

        return wait_until(found, what=lambda: f"{name}: {wanted}, but {self.state(name)}") or self.state(name)

    def log(self, name: str) -> str:
        """What is in a service's log."""
        with open(f"{self.run}/logs/{name}.log", encoding="utf-8") as file:
            return file.read()


def service(name: str, *argv: str, port: int | None = None, path: str | None = None, **members: Any) -> dict[str, Any]:
    """An entry of services.json: a Python program, or what `argv` names."""
    health = {"path": path, "timeout": members.pop("timeout", 20.0)} if port else None
    return {"name": name, "argv": list(argv), "folder": "/", "port": port, "health": health, **members}


def python(name: str, *arguments: str, **members: Any) -> dict[str, Any]:
    """A service that is a Python program."""
    return service(name, sys.executable, *arguments, **members)


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
