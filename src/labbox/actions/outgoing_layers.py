"""Layers on their way out of this machine: to an archive, to a registry."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager

from labbox.actions.image_layers import every_layer_store
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import NotFoundError
from labbox.oci.digest import Digest
from labbox.store.archives.outgoing import OutgoingLayer, OutgoingLayers
from labbox.store.images import ImageStore, StoredImage
from labbox.store.recipes import RecipeStore


@contextmanager
def outgoing_layers(
    engine: EmbeddedEngine, wanted: Iterable[StoredImage], *, only: Collection[Digest] | None = None
) -> Iterator[OutgoingLayers]:
    """Writes the layers of these images (with `only`, those of these digests), which nobody removes meanwhile.

    Wheels that layers are made of again are fetched now, so that what cannot be had is told before anything is
    written; raises NotFoundError or DownloadError.
    """
    images = ImageStore(engine.settings.store_dir)
    files: dict[str, str] = {}

    def write_by_recipe(digest: Digest, write: Callable[[bytes], object]) -> int:
        from labbox.build.python.layer_recipe import write_layer_blob  # noqa: PLC0415  (large, and rarely needed)

        return write_layer_blob(images.recipes, digest, files, write)

    with images.creating():
        layers = OutgoingLayers(images, every_layer_store(engine), write_by_recipe)
        needed = [layer for image in wanted for layer in layers.of(image) if layers.needs_recipe(layer)]
        if only is not None:
            needed = [layer for layer in needed if layer.descriptor.digest in only]
        if needed:
            files.update(_fetch_wheels(engine, images.recipes, needed))
        yield layers


def _fetch_wheels(engine: EmbeddedEngine, recipes: RecipeStore, layers: Iterable[OutgoingLayer]) -> Mapping[str, str]:
    """The wheels of these layers, from the cache or fetched again: sha256 → path."""
    from labbox.build.python.layer_recipe import read_recipe  # noqa: PLC0415
    from labbox.lock.fetch_wheels import fetch_wheels  # noqa: PLC0415
    from labbox.packages.python.package_index import open_package_index  # noqa: PLC0415

    wheels = {
        wheel.sha256: wheel
        for digest in {layer.descriptor.digest for layer in layers}
        for wheel in read_recipe(recipes, digest).layer.wheels
    }
    with open_package_index(engine.settings.cache_dir, os.environ) as index:
        files = fetch_wheels(list(wheels.values()), index)
    missing = wheels.keys() - files.keys()
    if missing:
        raise NotFoundError(f"wheel `{wheels[missing.pop()].file_name}` cannot be had", hint="lock the lab again")
    return files
