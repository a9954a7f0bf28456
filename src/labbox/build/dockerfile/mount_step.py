"""`RUN --mount` made real: folders and files of this host for one command; nothing of them enters the image."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass

from labbox.build.dockerfile.copy_step import hash_part
from labbox.build.dockerfile.copying import CopyPart, CopyTask, copy_into
from labbox.build.dockerfile.ignore import NO_RULES
from labbox.build.dockerfile.instructions import RunMount
from labbox.build.dockerfile.paths import resolve_inside
from labbox.build.dockerfile.run_mounts import expand_mount
from labbox.build.dockerfile.workroom import StageImage, Workroom
from labbox.engine.specification import Mount
from labbox.errors import LabboxError, NotFoundError
from labbox.files import make_private_folder

_SECRETS = "/run/secrets"
_SSH_SOCKET = "/run/buildkit/ssh_agent.0"


@dataclass(frozen=True, slots=True)
class Provided:
    """What one `--mount` gives to a command: mounts, and variables as `NAME=value`."""

    mounts: tuple[Mount, ...] = ()
    environment: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedMount:
    """One `--mount`: `said` is what the step's layer follows from, `provide` makes it for the time of the run."""

    said: object
    provide: Callable[[], AbstractContextManager[Provided]]


def prepare_mount(
    room: Workroom, find_origin: Callable[[str], StageImage], mount: RunMount, variables: Mapping[str, str]
) -> PreparedMount:
    """A mount with its variables replaced; NotFoundError for a source, secret or agent that is missing."""
    mount = expand_mount(mount, variables, room.escape)
    said: list[object] = [mount.kind, mount.target, mount.id]
    match mount.kind:
        case "tmpfs":
            made = Mount(kind="tmpfs", target=mount.target, size_bytes=mount.size_bytes)
            return PreparedMount(said=said, provide=lambda: _given(Provided((made,))))
        case "cache":
            return PreparedMount(said=said, provide=lambda: _given(_cache(room, mount)))
        case "secret":
            return PreparedMount(said=said, provide=lambda: _secret(room, mount))
        case "ssh":
            return PreparedMount(said=said, provide=lambda: _given(_agent(room, mount)))
        case _:
            part = _part_of(room, find_origin, mount)
            content = (
                hash_part(part, NO_RULES) if isinstance(part.origin, str) else [layer.root for layer in part.origin]
            )
            return PreparedMount(said=[*said, content], provide=lambda: _bind(room, mount, part))


@contextmanager
def _given(provided: Provided) -> Iterator[Provided]:
    yield provided


def _part_of(room: Workroom, find_origin: Callable[[str], StageImage], mount: RunMount) -> CopyPart:
    sources = (mount.source.strip("/") or ".",)
    if mount.from_stage:
        diff_ids = find_origin(mount.from_stage).config.diff_ids
        return CopyPart(origin=tuple(room.layerer.stack(diff_ids)), sources=sources)
    if not room.context:
        raise NotFoundError("there is no build context to mount")
    return CopyPart(origin=room.context, sources=sources, ignore=room.ignore)


@contextmanager
def _bind(room: Workroom, mount: RunMount, part: CopyPart) -> Iterator[Provided]:
    """The source itself where nothing can go wrong; else a copy of it, which is a layer of nothing else."""
    if isinstance(part.origin, str) and mount.read_only and not part.ignore.patterns:
        root = os.open(part.origin, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            path = f"{part.origin}/{resolve_inside(root, part.sources[0])}".rstrip("/")
        finally:
            os.close(root)
        yield Provided((Mount(kind="bind", source=path, target=mount.target, read_only=True),))
        return
    layers = room.layerer.layers
    packed = room.layerer.make((), lambda tree: copy_into(tree, CopyTask(parts=(part,), destination="/content")))
    assert packed is not None
    path = f"{layers.directory(packed.diff_id)}/content"
    if mount.read_only:
        yield Provided((Mount(kind="bind", source=path, target=mount.target, read_only=True),))
        return
    folder = f"{room.scratch}/writable-{os.urandom(6).hex()}"
    try:
        layers.run_mapped(lambda: _copy_tree(path, folder))
        yield Provided((Mount(kind="bind", source=f"{folder}/content", target=mount.target),))
    finally:
        layers.remove_tree(folder)


def _copy_tree(source: str, folder: str) -> None:
    os.mkdir(folder, 0o755)
    if os.path.isdir(source):
        shutil.copytree(source, f"{folder}/content", symlinks=True)
    else:
        shutil.copy2(source, f"{folder}/content")


def _cache(room: Workroom, mount: RunMount) -> Provided:
    """A folder that stays from build to build, of this mode and id."""
    name = hashlib.sha256((mount.id or mount.target).encode()).hexdigest()[:32]
    layers = room.layerer.layers
    parent = f"{room.engine.settings.cache_dir}/dockerfile/mounts/{layers.mode}"
    make_private_folder(parent)
    path = f"{parent}/{name}"
    layers.run_mapped(lambda: _make_owned_folder(path, mount))
    return Provided((Mount(kind="bind", source=path, target=mount.target, read_only=mount.read_only),))


def _make_owned_folder(path: str, mount: RunMount) -> None:
    if os.path.isdir(path):
        return
    os.mkdir(path)
    os.chmod(path, 0o755 if mount.mode is None else mount.mode)
    with suppress(PermissionError, OSError):  # one id only: there is nobody else to give it to
        os.chown(path, mount.uid, mount.gid)


@contextmanager
def _secret(room: Workroom, mount: RunMount) -> Iterator[Provided]:
    """A file that only its owner reads, in the runtime folder; or a variable."""
    secret = room.secrets.get(mount.id)
    if secret is None:
        if mount.required:
            raise NotFoundError(f"secret `{mount.id}`: not found", hint=f"give it with --secret id={mount.id},src=FILE")
        yield Provided()
        return
    content = _read_secret(room, mount.id)
    if mount.environment and not mount.target:
        yield Provided(environment=(f"{mount.environment}={content.decode('utf-8', 'surrogateescape')}",))
        return
    layers = room.layerer.layers
    make_private_folder(room.engine.settings.runtime_dir)
    folder = f"{room.engine.settings.runtime_dir}/secret-{os.urandom(8).hex()}"
    target = mount.target or f"{_SECRETS}/{mount.id}"
    try:
        layers.run_mapped(lambda: _write_secret(folder, content, mount))
        yield Provided((Mount(kind="bind", source=f"{folder}/content", target=target, read_only=True),))
    finally:
        layers.remove_tree(folder)


def _read_secret(room: Workroom, name: str) -> bytes:
    secret = room.secrets[name]
    if secret.variable:
        value = room.environment.get(secret.variable)
        if value is None:
            raise NotFoundError(f"secret `{name}`: the variable `{secret.variable}` is not set")
        return value.encode("utf-8", "surrogateescape")
    try:
        with open(secret.path, "rb") as file:
            return file.read()
    except OSError as error:
        raise LabboxError(f"secret `{name}`: cannot read `{secret.path}`: {error.strerror}") from error


def _write_secret(folder: str, content: bytes, mount: RunMount) -> None:
    """The folder lies in one that only this user enters; the engine looks whether the file is there."""
    os.mkdir(folder)
    os.chmod(folder, 0o711)
    path = f"{folder}/content"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
    os.chmod(path, 0o400 if mount.mode is None else mount.mode)
    with suppress(PermissionError, OSError):
        os.chown(path, mount.uid, mount.gid)


def _agent(room: Workroom, mount: RunMount) -> Provided:
    """The user's own ssh agent."""
    socket = room.environment.get("SSH_AUTH_SOCK", "")
    if not (socket and os.path.exists(socket)):
        if mount.required:
            raise NotFoundError("there is no ssh agent to pass on", hint="start ssh-agent; SSH_AUTH_SOCK names it")
        return Provided()
    target = mount.target or _SSH_SOCKET
    made = Mount(kind="bind", source=os.path.realpath(socket), target=target)
    return Provided((made,), (f"SSH_AUTH_SOCK={target}",))
