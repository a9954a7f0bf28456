"""Giving back the disk that no image and no container needs any more."""

from labbox.actions.image_layers import every_layer_store
from labbox.actions.lab.record import every_lab
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import ConflictError
from labbox.oci.digest import Digest, parse_digest
from labbox.store.garbage import Garbage, collect_garbage
from labbox.store.images import ImageStore

NOTHING = Garbage((), 0, (), 0, ())


def collect_unused(engine: EmbeddedEngine) -> Garbage:
    """Remove blobs and layers that neither a name nor a container needs; nothing while an image is being made."""
    return _collect(engine, is_dry_run=False)


def find_unused(engine: EmbeddedEngine) -> Garbage:
    """What `collect_unused` would remove."""
    return _collect(engine, is_dry_run=True)


def _collect(engine: EmbeddedEngine, *, is_dry_run: bool) -> Garbage:
    def images() -> list[Digest]:
        return [parse_digest(container.spec.image_id) for container in engine.list()]

    def layers() -> list[Digest]:
        """Of containers, whose layers may be more than their image's, and what labs have compiled."""
        used = [diff_id for container in engine.list() for diff_id in container.spec.diff_ids]
        derived = [diff_id for _, record in every_lab(engine.settings) for diff_id in record.derived]
        return [parse_digest(diff_id) for diff_id in (*used, *derived)]

    stores = every_layer_store(engine)
    try:
        store = ImageStore(engine.settings.store_dir)
        return collect_garbage(store, stores, images, pinned_layers=layers, is_dry_run=is_dry_run)
    except ConflictError:
        return NOTHING
