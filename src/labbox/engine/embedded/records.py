"""Containers on disk: made, found, renamed, listed, and set right after a crash.

There is no database and no lock over all containers. A name is a symbolic link whose creation the kernel decides; a
monitor holds its container's lock as long as it lives, so a container said to run whose lock is free has died.
"""

import os

from labbox.engine.embedded.folders import ContainerFolder, names_folder
from labbox.engine.embedded.names import is_name
from labbox.engine.embedded.timestamps import now_text
from labbox.engine.specification import (
    ContainerSpec,
    ContainerState,
    spec_from_document,
    spec_to_document,
    state_from_document,
    state_to_document,
)
from labbox.errors import ConflictError, NotFoundError, UsageError
from labbox.files import read_json, try_lock, write_json
from labbox.lightweight_typing import Iterator, NamedTuple
from labbox.processes import ProcessIdentity, boot_id, is_alive

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


def check_name(name: str) -> str:
    """The name without docker's leading slash; UsageError when it is no name."""
    if not is_name(name.removeprefix("/")):
        raise UsageError(
            f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
        )
    return name.removeprefix("/")


def create_record(containers_dir: str, spec: ContainerSpec, *, mode: str) -> Container:
    """Write a new container; ConflictError when its name is taken, and then nothing is left behind."""
    os.makedirs(names_folder(containers_dir), mode=0o700, exist_ok=True)
    folder = ContainerFolder(os.path.join(containers_dir, spec.id))
    take_name(containers_dir, spec.name, spec.id)
    state = ContainerState(mode=mode)
    durable = not spec.auto_remove
    try:
        os.mkdir(folder.path, 0o700)
        os.mkdir(folder.layer, 0o700)
        os.mkdir(folder.merged, 0o700)
        write_json(folder.specification, spec_to_document(spec), durable=durable)
        write_json(folder.state, state_to_document(state), durable=durable)
    except BaseException:
        release_name(containers_dir, spec.name)
        raise
    return Container(spec, state, folder)


def take_name(containers_dir: str, name: str, container_id: str) -> None:
    """Reserve a name; a link left by a container that is gone is taken over."""
    path = os.path.join(names_folder(containers_dir), name)
    while True:
        try:
            os.symlink(f"../{container_id}", path)
        except FileExistsError:
            holder = name_holder(containers_dir, name)
            if holder is not None and os.path.exists(os.path.join(containers_dir, holder)):
                raise ConflictError(
                    f'Conflict. The container name "/{name}" is already in use by container "{holder}". You have to remove '
                    "(or rename) that container to be able to reuse that name.",
                    exit_code=125,
                ) from None
            release_name(containers_dir, name)
        else:
            return


def name_holder(containers_dir: str, name: str) -> str | None:
    """The id of the container of that name."""
    try:
        return os.path.basename(os.readlink(os.path.join(names_folder(containers_dir), name)))
    except (FileNotFoundError, OSError):
        return None


def release_name(containers_dir: str, name: str) -> None:
    """Forget a name."""
    try:
        os.unlink(os.path.join(names_folder(containers_dir), name))
    except FileNotFoundError:
        return


def release_names_of(containers_dir: str, container_id: str, *, likely: str) -> None:
    """Forget the name a container has now: it may have been renamed since its record, with the `likely` one, was read."""
    if name_holder(containers_dir, likely) == container_id:
        release_name(containers_dir, likely)
        return
    for name in os.listdir(names_folder(containers_dir)):
        if name_holder(containers_dir, name) == container_id:
            release_name(containers_dir, name)


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
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
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
            _kill_leftover(ProcessIdentity(state.pid, state.start_ticks, state.boot_id))
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
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        if is_alive(process):
            os.kill(process.pid, 9)
    except ProcessLookupError:
        return
    finally:
        os.close(descriptor)
