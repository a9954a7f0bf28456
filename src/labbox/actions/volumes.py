"""`labbox volume`: named volumes of this user."""

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.host import Host, read_volume_record
from labbox.engine.embedded.records import Container
from labbox.engine.embedded.removal import is_anonymous
from labbox.engine.embedded.volumes import volume_at
from labbox.errors import ConflictError, NotFoundError
from labbox.files import remove_tree
from labbox.linux.idmap import run_mapped


class StoredVolume(NamedTuple):
    """A volume of this machine; `data` is the folder that containers mount, `users` the containers that do."""

    name: str
    data: str
    created: str
    labels: dict[str, str]
    users: tuple[str, ...]

    @property
    def is_anonymous(self) -> bool:
        """True when `run` named it."""
        return is_anonymous(self.name)


def create_volume(engine: EmbeddedEngine, name: str, labels: dict[str, str]) -> str:
    """Make a volume, unless it is there already; its name (made up when empty)."""
    name = name or os.urandom(32).hex()
    Host(engine.settings, engine.identity).make_volume(name, labels)
    return name


def list_volumes(engine: EmbeddedEngine) -> list[StoredVolume]:
    """Every volume by name."""
    try:
        names = sorted(os.listdir(engine.settings.volumes_dir))
    except FileNotFoundError:
        return []
    containers = list(engine.list())
    return [_read(engine, name, containers) for name in names if _is_volume(engine, name)]


def find_volume(engine: EmbeddedEngine, name: str) -> StoredVolume:
    """The volume of that name; NotFoundError."""
    if os.path.basename(name) != name or not name or not _is_volume(engine, name):
        raise NotFoundError(f"get {name}: no such volume")
    return _read(engine, name, engine.list())


def remove_volume(engine: EmbeddedEngine, name: str) -> None:
    """Remove a volume and what it holds; ConflictError while a container (running or not) has it."""
    volume = find_volume(engine, name)
    if volume.users:
        raise ConflictError(
            f"remove {name}: volume is in use - [{', '.join(volume.users)}]", hint="remove these containers first"
        )
    folder = volume_at(engine.settings.volumes_dir, name).folder
    run_mapped(engine.identity, lambda: remove_tree(volume.data))
    remove_tree(folder)


def inspect_volume(volume: StoredVolume) -> dict[str, Any]:
    """The volume as docker describes it."""
    return {
        "CreatedAt": volume.created,
        "Driver": "local",
        "Labels": volume.labels or None,
        "Mountpoint": volume.data,
        "Name": volume.name,
        "Options": None,
        "Scope": "local",
    }


def _is_volume(engine: EmbeddedEngine, name: str) -> bool:
    return os.path.isdir(os.path.join(engine.settings.volumes_dir, name, "_data"))


def _read(engine: EmbeddedEngine, name: str, containers: Iterable[Container]) -> StoredVolume:
    try:
        record = read_volume_record(engine.settings.volumes_dir, name)
    except (FileNotFoundError, ValueError):
        record = {"created": "", "labels": {}}
    users = tuple(container.spec.id for container in containers if _has(container, name))
    data = os.path.join(engine.settings.volumes_dir, name, "_data")
    return StoredVolume(name, data, record["created"], dict(record["labels"]), users)


def _has(container: Container, name: str) -> bool:
    return any(mount.kind == "volume" and mount.source == name for mount in container.spec.mounts)
