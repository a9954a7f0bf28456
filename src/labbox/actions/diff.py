"""`labbox diff`: what a container has changed in its image's files."""

import os

from labbox.actions.image_layers import container_stack, layer_store
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.store.diff import Change, compare_layers
from labbox.store.ownership import ownership_of

# the engine mounts its own files over these; where the image has none, it makes them as places to mount on
_MOUNT_POINTS = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")


def diff_container(engine: EmbeddedEngine, container: Container) -> list[Change]:
    """Every added, changed or deleted path, sorted."""
    layers = layer_store(engine)
    upper, lowers = container_stack(layers, container)
    mode = ownership_of(layers.mode)

    def compare() -> list[Change]:
        return _without_mount_points(upper.root, list(compare_layers(upper, lowers, mode=mode).changes))

    return list(layers.run_mapped(compare))


def _without_mount_points(upper: str, changes: list[Change]) -> list[Change]:
    left = [
        change
        for change in changes
        if change.path not in _MOUNT_POINTS or change.kind != "A" or os.lstat(upper + change.path).st_size
    ]
    if len(left) < len(changes) and not any(change.path.startswith("/etc/") for change in left):
        return [change for change in left if change != Change("C", "/etc")]
    return left
