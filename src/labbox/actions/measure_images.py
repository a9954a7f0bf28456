"""How large images are here, and what they share."""

from collections.abc import Iterable

from labbox.actions.image_layers import every_layer_store
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.oci.digest import Digest
from labbox.store.image_sizes import ImageSize, image_sizes, layers_by_image
from labbox.store.images import ImageStore


def measure_images(engine: EmbeddedEngine, image_ids: Iterable[Digest]) -> dict[Digest, ImageSize]:
    """The size of each image, told apart by what it shares with others of them."""
    measures = [store.measure for store in every_layer_store(engine)]
    return image_sizes(layers_by_image(ImageStore(engine.settings.store_dir), image_ids, measures))
