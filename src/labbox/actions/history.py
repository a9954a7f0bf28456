"""`labbox history`: how an image came to be, step by step."""

from typing import NamedTuple

from labbox.actions.image_layers import every_layer_store
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.oci.config import History
from labbox.oci.digest import Digest
from labbox.store.image_sizes import LayerSize, layer_sizes
from labbox.store.images import ImageStore, StoredImage


class Step(NamedTuple):
    """One step of an image: what the image says of it, its layer if it has one, and for the last the image's id."""

    said: History
    layer: LayerSize | None
    image_id: Digest | None


def read_history(engine: EmbeddedEngine, image: StoredImage) -> list[Step]:
    """The steps of an image, the newest first; layers that the image says nothing of are steps without words."""
    measures = [store.measure for store in every_layer_store(engine)]
    layers = layer_sizes(ImageStore(engine.settings.store_dir), image, measures)
    steps: list[Step] = []
    for said in image.config.history:
        layer = None if said.empty_layer or not layers else layers.pop(0)
        steps.append(Step(said, layer, None))
    steps += [Step(History(), layer, None) for layer in layers]
    if steps:
        steps[-1] = steps[-1]._replace(image_id=image.id)
    return steps[::-1]
