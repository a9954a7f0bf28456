"""Containers on disk: made, found, renamed, listed, and set right after a crash.

There is no database, and no lock over all containers but for the moment in which a name, a symbolic link, is taken. A
monitor holds its container's lock as long as it lives, so a container said to run whose lock is free has died.
"""

import fcntl
import os
from time import time

from labbox.engine.embedded.folders import ContainerFolder, names_folder
from labbox.engine.embedded.names import is_name
from labbox.engine.embedded.timestamps import format_nanoseconds, now_text
from labbox.engine.specification import (
    ContainerSpec,
    ContainerState,
    spec_from_document,
    spec_to_document,
    state_from_document,
    state_to_document,
)
from labbox.errors import ConflictError, EngineError, NotFoundError, UsageError
from labbox.files import locked, make_private_folder, read_json, remove_tree, try_lock, write_json
from labbox.lightweight_modules import contextmanager
from labbox.lightweight_typing import Iterator, NamedTuple
from labbox.processes import ProcessIdentity, boot_id, open_process

_FORGOTTEN_AFTER_SECONDS = 1.0
_LOST_BY_CRASH = 137
_LOST_BY_REBOOT = 255


class Container(NamedTuple):
    """A container as it stands on disk at one moment."""

    spec: ContainerSpec
    state: ContainerState
    folder: ContainerFolder

    @property
    def is_running(self) -> bool:
        """True while its command runs or is about to be started again."""
        return self.state.status in {"running", "restarting"}

    @property
    def process(self) -> ProcessIdentity:
        """Its process 1, as of the record."""
        return ProcessIdentity(self.state.pid, self.state.start_ticks, self.state.boot_id)


def check_name(name: str) -> str:
    """The name without docker's leading slash; UsageError when it is no name."""
    if not is_name(name.removeprefix("/")):
        raise UsageError(
            f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
        )
    return name.removeprefix("/")


def create_record(containers_dir: str, spec: ContainerSpec, *, mode: str) -> Container:
    """Write a new container; ConflictError when its name is taken, and then nothing is left behind."""
    make_private_folder(names_folder(containers_dir))
    folder = ContainerFolder(os.path.join(containers_dir, spec.id))
    state = ContainerState(mode=mode)
    durable = not spec.auto_remove
    os.mkdir(folder.path, 0o700)  # first: a name whose container has no folder is free for everybody
    with locked(folder.lock):  # what is unfinished and not locked was left by a command that was killed
        try:
            take_name(containers_dir, spec.name, spec.id)
        except BaseException:
            remove_tree(folder.path)
            raise
        try:
            os.mkdir(folder.layer, 0o700)
            os.mkdir(folder.merged, 0o700)
            write_json(folder.specification, spec_to_document(spec), durable=durable)
            write_json(folder.state, state_to_document(state), durable=durable)
        except BaseException:
            remove_tree(folder.path)
            release_name(containers_dir, spec.name)
            raise
    return Container(spec, state, folder)


def is_unfinished(path: str) -> bool:
    """True for a container's folder that is being made, or whose making was cut short."""
    folder = ContainerFolder(path)
    if len(os.path.basename(path)) != 64 or os.path.exists(folder.state):
        return False
    try:
        # Between a folder and its lock lie microseconds in which it looks forgotten.
        return os.path.exists(folder.lock) or time() - os.stat(path).st_mtime > _FORGOTTEN_AFTER_SECONDS
    except FileNotFoundError:
        return False


def take_name(containers_dir: str, name: str, container_id: str) -> None:
    """Reserve a name; a link left by a container that is gone is taken over."""
    path = os.path.join(names_folder(containers_dir), name)
    with _changing_names(containers_dir):
        holder = name_holder(containers_dir, name)
        if holder is not None and os.path.exists(os.path.join(containers_dir, holder)):
            raise ConflictError(
                f'Conflict. The container name "/{name}" is already in use by container "{holder}". You have to remove '
                "(or rename) that container to be able to reuse that name.",
                exit_code=125,
            )
        _unlink_name(containers_dir, name)
        os.symlink(f"../{container_id}", path)


def name_holder(containers_dir: str, name: str) -> str | None:
    """The id of the container of that name."""
    try:
        return os.path.basename(os.readlink(os.path.join(names_folder(containers_dir), name)))
    except (FileNotFoundError, OSError):
        return None


def release_name(containers_dir: str, name: str) -> None:
    """Forget a name."""
    with _changing_names(containers_dir):
        _unlink_name(containers_dir, name)


def release_names_of(containers_dir: str, container_id: str, *, likely: str) -> None:
    """Forget the name a container has now: `likely` that of its record, but it may have been renamed meanwhile."""
    with _changing_names(containers_dir):
        if name_holder(containers_dir, likely) == container_id:
            _unlink_name(containers_dir, likely)
            return
        for name in os.listdir(names_folder(containers_dir)):
            if name_holder(containers_dir, name) == container_id:
                _unlink_name(containers_dir, name)


def release_names_of_nobody(containers_dir: str) -> None:
    """Forget names whose container is gone."""
    with _changing_names(containers_dir):
        for name in os.listdir(names_folder(containers_dir)):
            if not os.path.exists(os.path.join(names_folder(containers_dir), name)):
                _unlink_name(containers_dir, name)


def write_state(container: Container, state: ContainerState) -> Container:
    """Replace the state on disk; durable unless the container goes away by itself."""
    write_json(container.folder.state, state_to_document(state), durable=not container.spec.auto_remove)
    return container._replace(state=state)


def write_spec(container: Container, spec: ContainerSpec) -> Container:
    """Replace the specification on disk (a new name)."""
    write_json(container.folder.specification, spec_to_document(spec))
    return container._replace(spec=spec)


def read_record(containers_dir: str, container_id: str) -> Container | None:
    """The container of that id as it stands, set right when its monitor has died; None when it is not whole."""
    folder = ContainerFolder(os.path.join(containers_dir, container_id))
    try:
        spec = spec_from_document(read_json(folder.specification))
        state = state_from_document(read_json(folder.state))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError, LookupError, AttributeError, EngineError) as error:
        return _damaged(folder, container_id, error)
    container = Container(spec, state, folder)
    return _set_right(container) if container.is_running else container


def list_records(containers_dir: str) -> Iterator[Container]:
    """Every container, newest first."""
    try:
        ids = [name for name in os.listdir(containers_dir) if len(name) == 64]
    except FileNotFoundError:
        return
    found = (read_record(containers_dir, container_id) for container_id in ids)
    yield from sorted((c for c in found if c is not None), key=lambda c: c.spec.created, reverse=True)


def find_record(containers_dir: str, name_or_id: str) -> Container:
    """The container of a name, an id or an unambiguous start of an id; NotFoundError as docker says it."""
    container_id = name_holder(containers_dir, name_or_id.removeprefix("/")) if "/" not in name_or_id[1:] else None
    container = read_record(containers_dir, container_id) if container_id else None
    if container is not None:
        return container
    matches = _ids_starting_with(containers_dir, name_or_id)
    if len(matches) > 1:
        raise ConflictError(f"multiple containers found with provided prefix: {name_or_id}")
    container = read_record(containers_dir, matches[0]) if matches else None
    if container is None:
        raise NotFoundError(f"No such container: {name_or_id}", hint=_nearest_hint(containers_dir, name_or_id))
    return container


def _damaged(folder: ContainerFolder, container_id: str, error: Exception) -> Container:
    """What can be said of a container whose records cannot be read: it can be listed and removed, and nothing else."""
    containers_dir = os.path.dirname(folder.path)
    names = os.listdir(names_folder(containers_dir))
    name = next((name for name in names if name_holder(containers_dir, name) == container_id), container_id[:12])
    created = format_nanoseconds(os.stat(folder.path).st_mtime_ns)
    spec = ContainerSpec(
        id=container_id, name=name, image="", image_id="", diff_ids=(), created=created, command=("damaged",)
    )  # fmt: skip
    state = ContainerState(status="exited", exit_code=_LOST_BY_REBOOT, error=f"its records cannot be read: {error}")
    return Container(spec, state, folder)


@contextmanager
def _changing_names(containers_dir: str) -> Iterator[None]:
    """While the body runs nobody else takes or gives up a name: what was read of one stays true."""
    descriptor = os.open(names_folder(containers_dir), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _unlink_name(containers_dir: str, name: str) -> None:
    try:
        os.unlink(os.path.join(names_folder(containers_dir), name))
    except FileNotFoundError:
        return


def _ids_starting_with(containers_dir: str, prefix: str) -> list[str]:
    try:
        names = os.listdir(containers_dir)
    except FileNotFoundError:
        return []
    return [name for name in names if prefix and len(name) == 64 and name.startswith(prefix)]


def _nearest_hint(containers_dir: str, name: str) -> str | None:
    import difflib  # noqa: PLC0415  (only to explain a failure)

    try:
        known = os.listdir(names_folder(containers_dir))
    except FileNotFoundError:
        return None
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean `{near[0]}`?" if near else None


def _set_right(container: Container) -> Container:
    """A container said to run whose lock nobody holds: kill what is left of it and write down that it has ended."""
    try:
        lock = try_lock(container.folder.lock)
    except FileNotFoundError:
        return container
    if lock is None:
        return container
    try:
        state = container.state
        rebooted = state.boot_id != boot_id()
        if not rebooted:
            _kill_leftover(container.process)
        return write_state(
            container,
            state._replace(
                status="exited",
                pid=0,
                monitor_pid=0,
                exit_code=_LOST_BY_REBOOT if rebooted else _LOST_BY_CRASH,
                error="the host was restarted" if rebooted else "the container's monitor was killed",
                finished_at=now_text(),
                ports=(),
            ),
        )
    finally:
        os.close(lock)


def _kill_leftover(process: ProcessIdentity) -> None:
    if process.pid == 0:
        return
    try:
        descriptor = open_process(process)
    except ProcessLookupError:
        return
    try:
        os.kill(process.pid, 9)
    except ProcessLookupError:
        return
    finally:
        os.close(descriptor)
