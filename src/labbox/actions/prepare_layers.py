"""The unpacked layers of an image in the mode in which containers run here."""

import os

from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.lightweight_typing import Sequence
from labbox.oci.digest import Digest
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
    images = ImageStore(engine.settings.store_dir)
    provide_layers(images, layers, image, others, make=lambda digests: _make_again(engine, layers, digests))


def _make_again(engine: EmbeddedEngine, layers: LayerStore, digests: Sequence[Digest]) -> None:
    """Unpack layers of wheels by their recipes, from wheels in the cache or fetched again."""
    from labbox.build.python.remake_layers import remake_layers  # noqa: PLC0415  (large, and hardly ever needed)
    from labbox.lock.fetch_wheels import fetch_wheels  # noqa: PLC0415
    from labbox.packages.python.package_index import open_package_index  # noqa: PLC0415

    cache_dir = engine.settings.cache_dir
    with open_package_index(cache_dir, os.environ) as index:
        remake_layers(
            digests, lambda wheels: fetch_wheels(wheels, index), layers, cache_dir, engine.identity, lambda *_: None
        )
