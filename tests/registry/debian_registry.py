"""Debian's docker-registry on a port of its own, ended by its process number."""

import http.client
import os
import shutil
import socket
import subprocess
import tempfile
from types import TracebackType
from typing import Self

from harness.waiting import wait_until


def missing_for_registry() -> str:
    """Why it cannot be started here; empty when it can."""
    for program, package in (("docker-registry", "docker-registry"), ("htpasswd", "apache2-utils")):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian package {package})"
    return ""


class DebianRegistry:
    """A running registry; a context manager that ends it."""

    def __init__(self, *, user: str = "", password: str = "") -> None:
        self._folder = tempfile.mkdtemp(prefix="lbt-registry-", dir="/tmp")
        self._process: subprocess.Popen[bytes] | None = None
        self._user, self._password = user, password
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{probe.getsockname()[1]}"

    def __enter__(self) -> Self:
        settings = os.path.join(self._folder, "config.yml")
        with open(settings, "w", encoding="utf-8") as file:
            file.write(
                f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
                f"storage: {{filesystem: {{rootdirectory: {self._folder}/data}}, delete: {{enabled: true}}}}\n"
                f"http: {{addr: '{self.host}'}}\n"
            )
            if self._user:
                file.write(f"auth: {{htpasswd: {{realm: test, path: {self._write_passwords()}}}}}\n")
        with open(os.path.join(self._folder, "log"), "wb") as log:
            self._process = subprocess.Popen(["docker-registry", "serve", settings], stdout=log, stderr=log)
        wait_until(self._answers, timeout_seconds=20, what="docker-registry answers")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write_passwords(self) -> str:
        path = os.path.join(self._folder, "htpasswd")
        subprocess.run(
            ["htpasswd", "-cBb", "-C", "4", path, self._user, self._password], check=True, capture_output=True
        )
        return path

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(self.host, timeout=2)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status in (200, 401)
        except OSError:
            return False
        finally:
            connection.close()
