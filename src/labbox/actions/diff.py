"""`labbox diff`: what a container has changed in its image's files."""

from labbox.actions.image_layers import container_stack, layer_store
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.store.diff import Change, compare_layers
from labbox.store.ownership import ownership_of

# the engine mounts its own files over these; where the image has none, it makes them as places to mount on
MOUNT_POINTS = frozenset({b"etc/hostname", b"etc/hosts", b"etc/resolv.conf"})


def diff_container(engine: EmbeddedEngine, container: Container) -> list[Change]:
    """Every added, changed or deleted path, sorted."""
    layers = layer_store(engine)
    upper, lowers = container_stack(layers, container)
    mode = ownership_of(layers.mode)

    def compare() -> list[Change]:
        found = compare_layers(upper, lowers, mode=mode, placeholders=MOUNT_POINTS).changes
        return _without_touched_folder(list(found))

    return list(layers.run_mapped(compare))


def _without_touched_folder(changes: list[Change]) -> list[Change]:
    """Making a place to mount on has touched /etc; that alone is no change of the container's."""
    if any(change.path.startswith("/etc/") for change in changes):
        return changes
    return [change for change in changes if change != Change("C", "/etc")]
