"""RUN: a command in a container over the layers so far; what it writes becomes a layer."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from labbox.build.clean_upper import make_layer_of_upper
from labbox.build.dockerfile.layering import Layerer
from labbox.build.workshop import proxy_variables
from labbox.certificates import ca_bundle_variables, host_ca_bundle
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.engine.embedded.timestamps import now_text
from labbox.engine.specification import ContainerSpec, Mount, Security
from labbox.errors import EngineError
from labbox.files import remove_tree
from labbox.oci.digest import Digest
from labbox.store.ownership import Ownership
from labbox.store.stack import LayerStack, StackedLayer
from labbox.store.tar_writer import PackedTree

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Below /dev, which is the container's own: nothing of it can enter the image.
_CERTIFICATES = "/dev/labbox/ca.crt"
_ENGINE_FILES = frozenset({b"etc/hostname", b"etc/hosts", b"etc/resolv.conf"})
_TAIL_BYTES = 64 << 10
_CHUNK = 1 << 16

Output = Callable[[bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTask:
    """A command and its surroundings. `network` is the engine's: auto, host or none."""

    command: tuple[str, ...]
    environment: tuple[str, ...]
    working_dir: str
    user: str
    network: str = "auto"
    privileged: bool = False
    mounts: tuple[Mount, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How the command ended, the end of what it wrote, and the layer it made if it succeeded."""

    code: int
    tail: bytes
    layer: PackedTree | None


def run_command(
    engine: EmbeddedEngine,
    layerer: Layerer,
    below: Sequence[Digest],
    task: RunTask,
    environment: Mapping[str, str],
    write: Output,
) -> Finished:
    """Run to the end, handing what is written to `write`; EngineError when the container cannot be started.

    Certificates and proxies of the host are known inside and do not enter the image.
    """
    container = engine.create(_specification(below, task, environment))
    try:
        tail = bytearray()
        code = _wait(engine, container, lambda data: _note(tail, data, write))
        if code:
            return Finished(code=code, tail=bytes(tail), layer=None)
        layer = _take_layer(layerer, container, below, task.mounts)
        return Finished(code=0, tail=bytes(tail), layer=layer)
    finally:
        engine.remove(container, force=True)


def _specification(below: Sequence[Digest], task: RunTask, environment: Mapping[str, str]) -> ContainerSpec:
    mounts = list(task.mounts)
    surroundings: list[str] = []
    if task.network != "none":
        surroundings += proxy_variables(environment)
        certificates = host_ca_bundle(environment)
        if certificates is not None:
            mounts.append(Mount(kind="bind", source=certificates, target=_CERTIFICATES, read_only=True))
            surroundings += ca_bundle_variables(_CERTIFICATES)
    own = {entry.partition("=")[0] for entry in task.environment}
    if "PATH" not in own:
        surroundings.append(f"PATH={DEFAULT_PATH}")
    container_id = os.urandom(32).hex()
    return ContainerSpec(
        id=container_id,
        name=f"build-{container_id[:12]}",
        image="labbox/build",
        image_id=f"sha256:{container_id}",
        diff_ids=tuple(map(str, below)),
        created=now_text(),
        command=task.command,
        arguments=task.command,
        environment=(*task.environment, *(entry for entry in surroundings if entry.partition("=")[0] not in own)),
        working_dir=task.working_dir or "/",
        user=task.user,
        hostname="localhost",
        mounts=tuple(mounts),
        network=task.network,
        security=Security(privileged=task.privileged),
        auto_remove=False,
    )


def _wait(engine: EmbeddedEngine, container: Container, take: Output) -> int:
    """Start the container and wait for its end; its exit code."""
    command = container.spec.command[0]
    with _drained(take) as writer:
        connection, failure = engine.start(container, attach=("stdout", "stderr"))
        with connection:
            outcome = failure or connection.proxy(
                stdin=None, stdout=writer, stderr=writer, terminal=False, detach_keys=b"", proxy_signals=False
            )
    if outcome.kind == "failed":
        take(f"{outcome.message}\n".encode())
        return outcome.code or 125
    if outcome.kind != "exited":
        raise EngineError(f"the container that ran `{command}` vanished")
    return outcome.code


@contextmanager
def _drained(take: Output) -> Iterator[int]:
    """A descriptor to write to; what is written is taken by a thread until the body is left."""
    reader, writer = os.pipe2(os.O_CLOEXEC)

    def drain() -> None:
        while data := os.read(reader, _CHUNK):
            take(data)

    thread = threading.Thread(target=drain, name="output", daemon=True)
    thread.start()
    try:
        yield writer
    finally:
        os.close(writer)
        thread.join()
        os.close(reader)


def _note(tail: bytearray, data: bytes, write: Output) -> None:
    tail += data
    del tail[:-_TAIL_BYTES]
    write(data)


def _take_layer(layerer: Layerer, container: Container, below: Sequence[Digest], mounts: Sequence[Mount]) -> PackedTree:
    """Make the container's own folder a layer where it stands, and move it into the store."""
    upper, stack, newest = container.folder.upper, layerer.stack(below), layerer.newest
    targets = tuple(mount.target for mount in mounts if not mount.target.startswith("/dev/"))
    packed = layerer.layers.run_mapped(lambda: _clean(upper, stack, layerer.ownership, newest, targets))
    layerer.layers.adopt(upper, packed)
    return packed


def _clean(
    upper: str, stack: list[StackedLayer], ownership: Ownership, newest: int, targets: tuple[str, ...]
) -> PackedTree:
    for target in targets:
        _remove_mount_point(upper, stack, ownership, target.strip("/"))
    return make_layer_of_upper(upper, stack, ownership=ownership, epoch=newest, placeholders=_ENGINE_FILES)


def _remove_mount_point(upper: str, stack: list[StackedLayer], ownership: Ownership, target: str) -> None:
    """Remove an empty file or folder that something was mounted on, and folders made on the way to it."""
    names = target.split("/")
    for count in range(len(names), 0, -1):
        path = "/".join(names[:count])
        place = f"{upper}/{path}"
        if _is_below(stack, ownership, names[:count]) or not os.path.lexists(place) or os.path.islink(place):
            return
        if os.path.isdir(place):
            if os.listdir(place):
                return
        elif os.path.getsize(place):
            return
        remove_tree(place)


def _is_below(stack: list[StackedLayer], ownership: Ownership, names: list[str]) -> bool:
    """True when the layers have something at a path of these names."""
    if not stack:
        return False
    layers = LayerStack(stack, mode=ownership)
    folder = layers.open_root()
    try:
        for name in names:
            found = layers.find(folder, os.fsencode(name))
            if found is None:
                return False
            found.close()
            child = layers.open_child(folder, os.fsencode(name))
            folder.close()
            folder = child
        return True
    finally:
        folder.close()
