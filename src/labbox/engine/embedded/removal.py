"""Taking a container off the disk: out of sight at once, out of the way when there is time."""

import os

from labbox.engine.embedded import records
from labbox.engine.embedded.folders import ContainerFolder, names_folder
from labbox.engine.embedded.records import Container
from labbox.files import remove_tree, try_lock
from labbox.linux.idmap import Identity, run_mapped

_TRASH = ".trash-"


def hide_container(container: Container, containers_dir: str) -> str:
    """Free the name and the id in two renames; returns the folder that is left to delete."""
    trash = os.path.join(containers_dir, f"{_TRASH}{container.spec.id}")
    os.rename(container.folder.path, trash)
    records.release_names_of(containers_dir, container.spec.id, likely=container.spec.name)
    return trash


def delete_hidden(trash: str, identity: Identity) -> None:
    """Delete a hidden folder; what the container wrote belongs to ids that only its user namespace may touch."""
    layer = ContainerFolder(trash).layer
    run_mapped(identity, lambda: remove_tree(layer))
    remove_tree(trash)


def sweep(containers_dir: str, identity: Identity) -> None:
    """Delete what creations and removals that were killed have left; one still at work holds its container's lock."""
    if not os.path.isdir(names_folder(containers_dir)):
        return  # nothing was ever made here
    for name in os.listdir(containers_dir):
        path = os.path.join(containers_dir, name)
        if not (name.startswith(_TRASH) or records.is_unfinished(path)):
            continue
        try:
            lock = try_lock(ContainerFolder(path).lock)
        except FileNotFoundError:
            continue
        if lock is not None:
            os.close(lock)
            delete_hidden(path, identity)
    records.release_names_of_nobody(containers_dir)


def remove_volumes(container: Container, volumes_dir: str, identity: Identity) -> None:
    """Remove the container's anonymous volumes (those named by 64 hexadecimal digits)."""
    for mount in container.spec.mounts:
        if mount.kind == "volume" and is_anonymous(mount.source):
            path = os.path.join(volumes_dir, mount.source)
            run_mapped(identity, lambda path=path: remove_tree(path))  # type: ignore[misc]


def is_anonymous(volume: str) -> bool:
    """True for a volume that `run` named itself."""
    return len(volume) == 64 and all(letter in "0123456789abcdef" for letter in volume)
