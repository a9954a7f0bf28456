"""The same lab by `docker build`: a Dockerfile with apt, venv and pip, as it is usually written.

The image below it is a Debian of docker's kind that is there already (docker's users have pulled it before), with the
host's certificates and the mirrors that labbox uses first. Containers are in the host's network.
"""

import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.jupyter_answer import Address
from benchmarks.lab import Lab, disk_bytes
from benchmarks.programs import Engine
from benchmarks.workbench import Workbench
from labbox.certificates import host_ca_bundle
from labbox.lock.lab import LabLock, LockedWheel
from labbox.lock.system import SystemLock
from labbox.packages.debian.mirrors import find_mirrors

_BASE = "bench-base"
_CONTAINER = "bench-lab"
_TOKEN = "benchmark"
_LIMIT_SECONDS = 120
_CERTIFICATES = "/etc/ssl/host.crt"
_CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
# The services stand first: what is added to the lab's own packages does not touch their layer.
_DOCKERFILE = f"""
FROM {_BASE}
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \\
        ca-certificates python3 python3-venv sudo && rm -rf /var/lib/apt/lists/*
COPY services.txt /tmp/
RUN python3 -m venv /opt/labbox && /opt/labbox/bin/pip install --no-cache-dir -r /tmp/services.txt
COPY packages.txt /tmp/
RUN python3 -m venv /opt/env && /opt/env/bin/pip install --no-cache-dir -r /tmp/packages.txt \\
    && /opt/env/bin/python -m ipykernel install --prefix /opt/labbox
ENV PATH=/opt/env/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
RUN useradd --create-home --uid 1000 --shell /bin/bash developer
USER developer
WORKDIR /home/developer
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerLab:
    """A folder with a Dockerfile, for a lab's lock."""

    engine: Engine
    folder: str
    data: str

    def build(self) -> float:
        """Seconds of `docker build`; what is built already is taken from docker's cache."""
        return self.engine.seconds("build", "--network", "host", *_proxies(), "--tag", _CONTAINER, self.folder)

    def write_packages(self, requirements: Sequence[str]) -> None:
        _write(self.folder, "packages.txt", "\n".join(requirements) + "\n")

    def start(self) -> float:
        """Seconds of `docker run` until JupyterLab answers, in place of the container that is there."""
        port = _free_port()
        jupyter = ("/opt/labbox/bin/jupyter-lab", "--no-browser", "--ip=127.0.0.1", f"--port={port}")
        self.engine.call("rm", "-f", _CONTAINER)
        start = time.perf_counter()
        self.engine.call(
            "run", "-d", "--name", _CONTAINER, "--network", "host", "-e", f"JUPYTER_TOKEN={_TOKEN}", _CONTAINER,
            *jupyter,
        )  # fmt: skip
        return self._wait(Address(port=port, token=_TOKEN), start)

    def start_again(self) -> float:
        """Seconds of `docker start` of a container that was stopped, until JupyterLab answers."""
        command = self.engine.call("inspect", "--format", '{{join .Config.Cmd " "}}', _CONTAINER)
        self.engine.call("stop", _CONTAINER)
        start = time.perf_counter()
        self.engine.call("start", _CONTAINER)
        return self._wait(Address(port=int(command.rpartition("--port=")[2]), token=_TOKEN), start)

    def disk_bytes(self) -> int:
        """What docker's images and containers take."""
        return disk_bytes(self.data)

    def _wait(self, address: Address, start: float) -> float:
        while not address.started():
            if time.perf_counter() - start > _LIMIT_SECONDS:
                raise RuntimeError(
                    f"docker's JupyterLab does not answer: {self.engine.call('logs', _CONTAINER)[-500:]}"
                )
            time.sleep(0.02)
        return time.perf_counter() - start


def make_docker_lab(bench: Workbench, docker: Engine, data: str, lab: Lab) -> DockerLab:
    """A Dockerfile for a lab's lock, and the image it starts from. `data` is the folder of docker's data."""
    folder = os.path.join(bench.folder, "docker-lab")
    os.makedirs(folder)
    lock = lab.lock()
    _make_base(bench, docker, lock)
    _write(folder, "Dockerfile", _DOCKERFILE)
    _write(folder, "services.txt", "\n".join(pins(lock.services)) + "\n")
    made = DockerLab(engine=docker, folder=folder, data=data)
    made.write_packages(pins(lock.packages))
    return made


def pins(wheels: Sequence[LockedWheel]) -> list[str]:
    """Requirements that allow one version each."""
    return [f"{wheel.name}=={wheel.version}" for wheel in wheels]


def _make_base(bench: Workbench, docker: Engine, lock: LabLock) -> None:
    """Debian's smallest system, made by a labbox of its own, with what the host's network asks for."""
    if not isinstance(lock.system, SystemLock):
        raise TypeError("the lab's system is no Debian release")
    labbox = bench.new_labbox("base")
    archive = os.path.join(bench.folder, "base.tar")
    labbox.call("bootstrap", lock.system.release, "--tag", "base", "-q")
    name = labbox.call("create", "base", "true")
    labbox.call("export", "-o", archive, name)
    docker.call("import", archive, f"{_BASE}:raw")
    folder = os.path.join(bench.folder, "docker-base")
    os.makedirs(folder)
    lines = [f"FROM {_BASE}:raw"]
    bundle = host_ca_bundle(os.environ)
    if bundle is not None:
        with open(bundle, encoding="utf-8") as file:
            _write(folder, "host.crt", file.read())
        lines.append(f"COPY host.crt {_CERTIFICATES}")
        lines += [f"ENV {variable}={_CERTIFICATES}" for variable in _CERTIFICATE_VARIABLES]
        _write(folder, "host.conf", f'Acquire::https::CAInfo "{_CERTIFICATES}";\n')
        lines.append("COPY host.conf /etc/apt/apt.conf.d/host.conf")
    _write(folder, "sources.list", "\n".join(_mirror_lines(lock.system)) + "\n")
    lines += ["RUN rm -rf /etc/apt/sources.list.d/*", "COPY sources.list /etc/apt/sources.list"]
    _write(folder, "Dockerfile", "\n".join(lines) + "\n")
    docker.call("build", "--network", "none", "--tag", _BASE, folder)


def _mirror_lines(system: SystemLock) -> list[str]:
    """sources.list(5) lines for the mirrors that labbox uses first."""
    bases: Mapping[str, Sequence[str]] = find_mirrors(os.environ, {}).bases
    return [f"deb {bases[suite.archive][0]} {suite.suite} main" for suite in system.suites]


def _proxies() -> list[str]:
    return [word for name in _PROXY_VARIABLES if name in os.environ for word in ("--build-arg", name)]


def _write(folder: str, name: str, text: str) -> None:
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
