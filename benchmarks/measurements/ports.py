"""One TCP stream and one byte to and fro, into a container by a published port and out of it.

Beside docker's published port (its userland-proxy, which serves the loopback address) and beside loopback without
anything between. Client and server are the same program everywhere.
"""

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from benchmarks.figures import Budget, Figure
from benchmarks.programs import Engine, alternate, call
from benchmarks.workbench import HOST_MOUNTS, IMAGE, Workbench, host_python_missing, inside, on_host

_PORT = 7000
_NAME = "bench-traffic"
_QUANTITIES = (("upload", "Gbit/s"), ("download", "Gbit/s"), ("rtt", "µs"))
_WORDS = {"upload": "one stream to the server", "download": "one stream from the server", "rtt": "round trip of a byte"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Path:
    """A way to a server: a client's command line up to what it measures, and the server's address."""

    name: str
    client: tuple[str, ...]
    host: str
    port: int
    environment: "dict[str, str] | None" = None

    def measure(self, quantity: str, seconds: float) -> float:
        address = (self.host, str(self.port), str(seconds))
        return float(call([*self.client, quantity, *address], environment=self.environment))


def measure(bench: Workbench) -> Iterator[Figure]:
    missing = host_python_missing()
    if missing:
        raise RuntimeError(missing)
    with ExitStack() as stack:
        paths = [stack.enter_context(_published(engine)) for engine in bench.engines]
        paths.append(stack.enter_context(_loopback()))
        yield from _compare(bench, "in, by a published port", paths, Budget(lowest=5))
        outward = [stack.enter_context(_outward(engine)) for engine in bench.engines]
        yield from _compare(bench, "out, to the host's own address", [*outward, paths[-1]], None)


def _compare(bench: Workbench, direction: str, paths: Sequence[_Path], budget: Budget | None) -> Iterator[Figure]:
    seconds, repetitions = (1.0, 2) if bench.is_quick else (3.0, 5)
    for quantity, unit in _QUANTITIES:
        samples = alternate([partial(path.measure, quantity, seconds) for path in paths], repetitions)
        for path, peer in list(zip(paths, samples, strict=True))[1:]:
            yield Figure(
                what=f"{direction}: {_WORDS[quantity]}",
                unit=unit,
                ours=samples[0],
                peer_name=path.name,
                peer=peer,
                budget=budget if unit == "Gbit/s" else None,
                remark=bench.docker_remark,
            )


@contextmanager
def _published(engine: Engine) -> Iterator[_Path]:
    """A server in a container, a client on the host."""
    engine.call(
        "run", "-d", "--name", _NAME, *HOST_MOUNTS, "-p", f"127.0.0.1::{_PORT}", IMAGE,
        *inside("traffic.py", "serve", str(_PORT)),
    )  # fmt: skip
    try:
        address = engine.call("port", _NAME, f"{_PORT}/tcp").split()[0]
        client = tuple(engine.beside(on_host("traffic.py")))
        path = _Path(name=engine.name, client=client, host="127.0.0.1", port=int(address.rpartition(":")[2]))
        _wait_for(path)
        yield path
    finally:
        engine.call("rm", "-f", _NAME)


@contextmanager
def _loopback() -> Iterator[_Path]:
    """Both on the host."""
    with _serving([], _free_port()) as port:
        path = _Path(name="bare loopback", client=tuple(on_host("traffic.py")), host="127.0.0.1", port=port)
        _wait_for(path)
        yield path


@contextmanager
def _outward(engine: Engine) -> Iterator[_Path]:
    """A server on the host, a client in a container. docker's host address is its bridge's; ours is the machine's."""
    name = f"{_NAME}-out"
    engine.call("run", "-d", "--name", name, *HOST_MOUNTS, IMAGE, "sleep", "3600")
    host = _own_address() if engine.network_of is None else _gateway_of(engine, name)
    try:
        with _serving(engine.beside([]), _free_port()) as port:
            client = (*engine.command, "exec", name, *inside("traffic.py"))
            path = _Path(name=engine.name, client=client, host=host, port=port, environment=dict(engine.environment))
            _wait_for(path)
            yield path
    finally:
        engine.call("rm", "-f", name)


@contextmanager
def _serving(prefix: Sequence[str], port: int) -> Iterator[int]:
    server = subprocess.Popen([*prefix, *on_host("traffic.py", "serve", str(port))], stdin=subprocess.DEVNULL)
    try:
        yield port
    finally:
        server.kill()
        server.wait()


def _wait_for(path: _Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            path.measure("rtt", 0.05)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _own_address() -> str:
    """The address by which this machine would reach the world; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        address: str = probe.getsockname()[0]
        return address


def _gateway_of(engine: Engine, name: str) -> str:
    return engine.call("inspect", "--format", "{{.NetworkSettings.Gateway}}", name)
