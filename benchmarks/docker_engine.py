"""A Docker Engine for one benchmark: as docker sets itself up, in a network of its own, ended by its process number."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.programs import Engine, in_network_of

_START_SECONDS = 60
_NO_BRIDGE = ("--bridge", "none", "--iptables=false", "--ip-forward=false", "--ip-masq=false")


def why_no_docker() -> str:
    """What keeps a Docker Engine from being started here; empty when nothing does."""
    if os.geteuid() != 0:
        return "missing: starting dockerd needs root"
    missing = [program for program in ("dockerd", "docker") if shutil.which(program) is None]
    return f"missing: {missing[0]} is not installed" if missing else ""


@contextmanager
def running_docker(folder: str, *, in_host_network: bool = False) -> Iterator[Engine]:
    """A Docker Engine as it sets itself up (overlay2, bridge, iptables, userland-proxy), with its data in `folder`.

    `in_host_network` is for builds, which need the network: the engine makes no bridge and no rules then, and its
    containers must be started with `--network host`.
    """
    os.makedirs(folder)
    place = {name: os.path.join(folder, name) for name in ("data", "exec", "pid", "socket", "log")}
    arguments = ["--data-root", place["data"], "--exec-root", place["exec"], "--pidfile", place["pid"]]
    network = [] if in_host_network else in_network_of(None)
    with open(place["log"], "wb") as log:
        daemon = subprocess.Popen(
            [*network, "dockerd", *arguments, *(_NO_BRIDGE if in_host_network else ()), "--host",
             f"unix://{place['socket']}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    engine = Engine(
        name="docker",
        command=("docker", "--host", f"unix://{place['socket']}"),
        network_of=None if in_host_network else daemon.pid,
    )
    try:
        _wait_for(engine, daemon, place["log"])
        yield engine
    finally:
        _end(engine, daemon)
        _unmount_networks(os.path.join(place["exec"], "netns"))


def _wait_for(engine: Engine, daemon: "subprocess.Popen[bytes]", log: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while daemon.poll() is None and time.monotonic() < deadline:
        try:
            engine.call("version")
        except RuntimeError:
            time.sleep(0.1)
        else:
            return
    with open(log, encoding="utf-8", errors="replace") as file:
        raise RuntimeError(f"dockerd does not start: {file.read()[-500:]}")


def _end(engine: Engine, daemon: "subprocess.Popen[bytes]") -> None:
    if daemon.poll() is None:
        try:
            left = engine.call("ps", "-aq").split()
            if left:
                engine.call("rm", "-f", *left)
        except RuntimeError as error:
            print(f"docker's containers could not be removed: {error}")
    daemon.terminate()
    try:
        daemon.wait(30)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _unmount_networks(folder: str) -> None:
    """A network that containers shared with the host stays mounted when the engine ends."""
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        subprocess.run(["umount", os.path.join(folder, name)], check=False, stderr=subprocess.DEVNULL)
