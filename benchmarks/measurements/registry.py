"""An image of twenty layers to a registry on this machine, and back from it."""

import gzip
import hashlib
import http.client
import io
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from benchmarks.figures import Figure
from benchmarks.programs import Engine, alternate
from benchmarks.workbench import Workbench

_LAYERS = 20
_FILES = 60
_RANDOM_BYTES = 425_000
_TEXT = b"some text that compresses well\n" * 14_000
_OCI = "application/vnd.oci.image"
_START_SECONDS = 20


def measure(bench: Workbench) -> Iterator[Figure]:
    if shutil.which("docker-registry") is None:
        raise RuntimeError("docker-registry is not installed (Debian package docker-registry)")
    layers = 3 if bench.is_quick else _LAYERS
    with _registry(bench, "source") as host:
        name = f"{host}/bench/layers:1"
        unpacked = _offer_image(host, layers)
        size = f"{unpacked / 1e9:.2f} GB in {layers} layers"
        yield _compare(bench, f"pull from loopback, {size}", lambda engine: _pull(engine, name))
        for engine in bench.engines:
            engine.call("pull", "-q", name)
        yield _compare(bench, f"push to loopback, {size}", lambda engine: _push(bench, engine, name))
        for engine in bench.engines:
            engine.call("rmi", "-f", name)


def _compare(bench: Workbench, what: str, action: Callable[[Engine], float]) -> Figure:
    actions = [partial(action, engine) for engine in bench.engines]
    samples = alternate(actions, bench.repetitions(3, 1), warm_ups=0 if bench.is_quick else 1)
    peer = samples[1] if bench.docker else None
    return Figure(what=what, unit="s", ours=samples[0], peer_name="docker", peer=peer, remark=bench.docker_remark)


def _pull(engine: Engine, name: str) -> float:
    """Into an engine that has no layer of it."""
    seconds = engine.seconds("pull", "-q", name)
    engine.call("rmi", "-f", name)
    engine.call("image", "prune", "-f")
    return seconds


def _push(bench: Workbench, engine: Engine, name: str) -> float:
    """To a registry that has nothing."""
    with _registry(bench, f"target-{engine.name}") as host:
        target = f"{host}/bench/layers:1"
        engine.call("tag", name, target)
        seconds = engine.seconds("push", "-q", target)
        engine.call("rmi", target)
        return seconds


@contextmanager
def _registry(bench: Workbench, name: str) -> Iterator[str]:
    """Debian's docker-registry, empty; its host and port."""
    folder = os.path.join(bench.folder, f"registry-{name}")
    os.makedirs(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    settings = os.path.join(folder, "config.yml")
    with open(settings, "w", encoding="utf-8") as file:
        file.write(
            f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
            f"http: {{addr: '{host}'}}\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        )
    with ExitStack() as stack:
        # docker's engine may have a loopback of its own: there the same registry is started again
        for engine in bench.engines:
            stack.enter_context(_serving(engine.beside(["docker-registry", "serve", settings])))
            _wait_for(engine, host)
        yield host
    shutil.rmtree(folder)


@contextmanager
def _serving(command: list[str]) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:
        try:
            yield
        finally:
            process.terminate()


def _wait_for(engine: Engine, host: str) -> None:
    address, _, port = host.partition(":")
    program = f"import socket; socket.create_connection(({address!r}, {port})).close()"
    deadline = time.monotonic() + _START_SECONDS
    while subprocess.run(engine.beside([sys.executable, "-c", program]), check=False, capture_output=True).returncode:
        if time.monotonic() > deadline:
            raise RuntimeError("docker-registry does not answer")
        time.sleep(0.05)


def _offer_image(host: str, layers: int) -> int:
    """Put an image there whose content is the same in every run; the length of its layers' tars."""
    numbers, unpacked = random.Random(0), 0
    descriptors, diff_ids = [], []
    for number in range(layers):
        archive = _layer(numbers, number)
        unpacked += len(archive)
        diff_ids.append(_digest(archive))
        packed = gzip.compress(archive, 1, mtime=0)
        descriptors.append(_put_blob(host, packed, f"{_OCI}.layer.v1.tar+gzip"))
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_OCI}.manifest.v1+json",
        "config": _put_blob(host, json.dumps(config).encode(), f"{_OCI}.config.v1+json"),
        "layers": descriptors,
    }
    _send(host, "PUT", "/v2/bench/layers/manifests/1", json.dumps(manifest).encode(), f"{_OCI}.manifest.v1+json")
    return unpacked


def _layer(numbers: random.Random, number: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for position in range(_FILES):
            data = numbers.randbytes(_RANDOM_BYTES) + _TEXT
            entry = tarfile.TarInfo(f"layer{number}/file{position}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _put_blob(host: str, data: bytes, media_type: str) -> dict[str, object]:
    location = _send(host, "POST", "/v2/bench/layers/blobs/uploads/", b"", "").partition(host)[2]
    _send(host, "PUT", f"{location}&digest={_digest(data)}", data, "application/octet-stream")
    return {"mediaType": media_type, "digest": _digest(data), "size": len(data)}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _send(host: str, method: str, path: str, body: bytes, media_type: str) -> str:
    """The Location of the answer; RuntimeError for a refusal."""
    connection = http.client.HTTPConnection(host, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": media_type} if media_type else {})
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    if answer.status >= 300:
        raise RuntimeError(f"docker-registry answers {method} {path} with {answer.status}")
    return answer.headers.get("Location") or ""
