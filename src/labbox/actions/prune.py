"""Removing what nobody uses: stopped containers, images and volumes without containers."""

from collections.abc import Callable

from labbox.actions.collect_garbage import collect_unused
from labbox.actions.container_images import users_of
from labbox.actions.sizes import container_sizes, measure_tree
from labbox.actions.volumes import StoredVolume, list_volumes, remove_volume
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.errors import ConflictError, NotFoundError
from labbox.linux.idmap import run_mapped
from labbox.store.images import ImageStore, Removal, StoredImage


def prune_containers(engine: EmbeddedEngine, accepts: Callable[[Container], bool]) -> tuple[list[str], int]:
    """Remove the stopped containers that `accepts` picks; their ids and the bytes freed."""
    removed, freed = [], 0
    for container in list(engine.list()):
        if container.is_running or not accepts(container):
            continue
        written = container_sizes(engine, container)[0]
        try:
            engine.remove(container)
        except (ConflictError, NotFoundError):
            continue  # somebody started or removed it meanwhile
        removed.append(container.spec.id)
        freed += written
    engine.sweep()
    return removed, freed


def prune_images(
    engine: EmbeddedEngine, *, named: bool, accepts: Callable[[StoredImage], bool]
) -> tuple[list[Removal], int]:
    """Remove the images without containers that `accepts` picks, named ones only when asked; what went, and bytes."""
    store = ImageStore(engine.settings.store_dir)
    removals = []
    for image_id in dict.fromkeys(summary.id for summary in store.list_images()):
        image = store.resolve(str(image_id))
        if (named or not image.names) and not users_of(image, engine.list()) and accepts(image):
            removals.append(store.remove(image_id))
    garbage = collect_unused(engine)
    return removals, garbage.blob_bytes + garbage.layer_bytes


def prune_volumes(
    engine: EmbeddedEngine, *, named: bool, accepts: Callable[[StoredVolume], bool]
) -> tuple[list[str], int]:
    """Remove the volumes without containers that `accepts` picks, named ones only when asked; names and bytes."""
    removed, freed = [], 0
    for volume in list_volumes(engine):
        if volume.users or not (named or volume.is_anonymous) or not accepts(volume):
            continue
        data = volume.data
        size = run_mapped(engine.identity, lambda data=data: measure_tree(data))  # type: ignore[misc]
        try:
            remove_volume(engine, volume.name)
        except (ConflictError, NotFoundError):
            continue  # somebody uses or removed it meanwhile
        removed.append(volume.name)
        freed += size
    return removed, freed
