"""Wheels on a shelf, and layers and images made of them."""

import io
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from build.python.wheels import keep
from labbox.build.python.layer_memory import MadeLayer
from labbox.build.python.layer_plan import PlannedLayer, plan_layers
from labbox.build.python.layer_recipe import write_layer_blob
from labbox.build.python.target import Target, environment_target
from labbox.build.python.wheel_layers import make_wheel_layers
from labbox.lock.lab import LockedWheel
from labbox.oci.config import History, ImageConfig
from labbox.oci.platform import machine_platform
from labbox.oci.reference import parse_reference
from labbox.store.images import ImageStore, StoredImage
from labbox.store.layers import LayerStore

ENVIRONMENT = environment_target("3.13")
THRESHOLD = 100_000
SITE = "opt/env/lib/python3.13/site-packages"


class Shelf(NamedTuple):
    """Wheels, and where their files are."""

    wheels: tuple[LockedWheel, ...]
    files: Mapping[str, str]


def fill(folder: Any, *wheels: tuple[str, bytes]) -> Shelf:
    kept = [keep(folder, data, name) for name, data in wheels]
    return Shelf(tuple(wheel for wheel, _ in kept), {key: path for _, files in kept for key, path in files.items()})


def make(
    layers: LayerStore,
    shelf: Shelf,
    *,
    plan: Sequence[PlannedLayer] | None = None,
    target: Target = ENVIRONMENT,
    files: Mapping[str, str] | None = None,
) -> list[MadeLayer]:
    chosen = plan_layers(shelf.wheels, THRESHOLD) if plan is None else plan
    cache = os.path.join(layers.store_dir, "..", "cache")
    given = shelf.files if files is None else files
    return make_wheel_layers(chosen, given, target, layers, cache, layers._identity, lambda *_: None)


def blob_of(layers: LayerStore, made: MadeLayer, shelf: Shelf) -> bytes:
    buffer = io.BytesIO()
    recipes = ImageStore(layers.store_dir).recipes
    assert write_layer_blob(recipes, made.descriptor.digest, shelf.files, buffer.write) == made.descriptor.size_bytes
    return buffer.getvalue()


def make_image(layers: LayerStore, images: ImageStore, shelf: Shelf) -> tuple[StoredImage, list[MadeLayer]]:
    with images.creating():
        made = make(layers, shelf)
        config = ImageConfig(machine_platform("x86_64"), created="2024-01-01T00:00:00Z", cmd=("sh",))
        for layer in made:
            config = config.with_layer(layer.diff_id, History(created_by="test"))
        return images.add(config, [layer.descriptor for layer in made], [parse_reference("lab:1")]), made
