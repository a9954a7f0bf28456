"""The unpacked layers of an image in the mode in which containers run here."""

from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.store.images import ImageStore, StoredImage
from labbox.store.layers import LayerStore


def prepare_layers(engine: EmbeddedEngine, image: StoredImage) -> None:
    """Unpack the image's layers for the current mode where they are not; NotFoundError when one is nowhere."""
    layers = LayerStore(engine.settings.store_dir, engine.identity)
    if all(layers.has(diff_id) for diff_id in image.diff_ids):
        return
    # large, and the layers are nearly always there
    from labbox.actions.image_layers import every_layer_store  # noqa: PLC0415
    from labbox.store.provide import provide_layers  # noqa: PLC0415

    others = every_layer_store(engine)[1:]
    provide_layers(ImageStore(engine.settings.store_dir), layers, image, others)
