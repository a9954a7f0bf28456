"""Giving back the disk that no image and no container needs any more."""

from labbox.actions.image_layers import every_layer_store
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import ConflictError
from labbox.oci.digest import Digest, parse_digest
from labbox.store.garbage import Garbage, collect_garbage
from labbox.store.images import ImageStore

NOTHING = Garbage((), 0, (), 0, ())


def collect_unused(engine: EmbeddedEngine) -> Garbage:
    """Remove blobs and layers that neither a name nor a container needs; nothing while an image is being made."""

    def pinned() -> list[Digest]:
        return [parse_digest(container.spec.image_id) for container in engine.list()]

    try:
        return collect_garbage(ImageStore(engine.settings.store_dir), every_layer_store(engine), pinned)
    except ConflictError:
        return NOTHING
