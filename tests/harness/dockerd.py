"""A Docker Engine of one's own: started by root for the session, away from any other, ended by its process number."""

import os
import shutil
import subprocess
import tempfile
from types import TracebackType
from typing import Any, Self

from harness.laboratory import TINY, input_for
from harness.waiting import wait_until

_STORAGE_DRIVERS = ("overlay2", "vfs")


def missing_for_docker() -> str:
    """Why a Docker Engine cannot be started here; empty when it can."""
    if os.geteuid() != 0:
        return "starting dockerd needs root"
    for program in ("dockerd", "docker"):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian package docker.io)"
    return ""


class Docker:
    """The real `docker` command, called as a `Lab` is."""

    def __init__(self, socket: str) -> None:
        self._socket = socket

    def __call__(self, *arguments: str, **keywords: Any) -> "subprocess.CompletedProcess[str]":
        """Run `docker ARGUMENTS...`; what it printed is text."""
        feed = input_for(keywords)
        done = subprocess.run(
            self.command(*arguments), check=False, capture_output=True, timeout=120, **feed, **keywords
        )
        out, err = (stream.decode("utf-8", "surrogateescape") for stream in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(arguments, done.returncode, out, err)

    def command(self, *arguments: str) -> list[str]:
        """The command line of `docker ARGUMENTS...`."""
        return ["docker", "--host", f"unix://{self._socket}", *arguments]


class DockerEngine:
    """A running dockerd; a context manager that ends it."""

    def __init__(self, archive: str) -> None:
        self._archive = archive
        self._folder = tempfile.mkdtemp(prefix="lbt-docker-", dir="/tmp")
        self._daemon: subprocess.Popen[bytes] | None = None
        self.client = Docker(os.path.join(self._folder, "docker.sock"))

    def __enter__(self) -> Self:
        for driver in _STORAGE_DRIVERS:
            if self._start(driver):
                break
        else:
            raise AssertionError(f"dockerd does not start; it has said: {self._read_log()}")
        imported = self.client("import", self._archive, TINY)
        assert imported.returncode == 0, imported.stderr
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def clear(self) -> None:
        """Remove all containers and volumes."""
        names = self.client("ps", "-aq").stdout.split()
        if names:
            self.client("rm", "-f", "-v", *names)
        volumes = self.client("volume", "ls", "-q").stdout.split()
        if volumes:
            self.client("volume", "rm", "-f", *volumes)

    def _start(self, driver: str) -> bool:
        place = {name: os.path.join(self._folder, name) for name in ("data", "exec", "pid", "docker.sock", "log")}
        command = [
            "dockerd", "--data-root", place["data"], "--exec-root", place["exec"], "--pidfile", place["pid"],
            "--host", f"unix://{place['docker.sock']}", "--storage-driver", driver,
            "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--bridge=none",
        ]  # fmt: skip
        with open(place["log"], "ab") as log:
            self._daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        daemon = self._daemon
        answer = wait_until(
            lambda: daemon.poll() is not None or self.client("version").returncode == 0,
            timeout_seconds=60,
            what="dockerd answers",
        )
        return bool(answer) and daemon.poll() is None

    def _stop(self) -> None:
        if self._daemon is None:
            return
        self._daemon.terminate()
        try:
            self._daemon.wait(30)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
            self._daemon.wait()

    def _read_log(self) -> str:
        with open(os.path.join(self._folder, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()[-3000:]
