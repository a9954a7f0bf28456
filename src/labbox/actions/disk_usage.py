"""`labbox system df`: what takes room on this disk, and how much of it nobody uses."""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from labbox.actions.collect_garbage import find_unused
from labbox.actions.image_layers import every_layer_store
from labbox.actions.lab.record import every_lab
from labbox.actions.sizes import container_sizes, measure_tree
from labbox.actions.volumes import StoredVolume, list_volumes
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.linux.idmap import run_mapped
from labbox.oci.digest import parse_digest
from labbox.store.image_sizes import ImageSize, image_sizes, layers_by_image
from labbox.store.images import ImageStore, ImageSummary
from labbox.store.layers import LayerStore


class ImageUsage(NamedTuple):
    """An image under the first of its names, its size, and how many containers were made of it."""

    image: ImageSummary
    size: ImageSize
    users: int


class ContainerUsage(NamedTuple):
    """A container and what it has written."""

    container: Container
    size_bytes: int


class VolumeUsage(NamedTuple):
    """A volume and what it holds."""

    volume: StoredVolume
    size_bytes: int


class CacheUsage(NamedTuple):
    """A part of what is kept to build faster; `is_reclaimable` when `system prune` removes it."""

    name: str
    kind: str
    size_bytes: int
    is_in_use: bool
    is_reclaimable: bool


class DiskUsage(NamedTuple):
    """Everything. Layers that images share are counted once in `images_bytes`; `images_used_bytes` have containers."""

    images: tuple[ImageUsage, ...]
    images_bytes: int
    images_used_bytes: int
    containers: tuple[ContainerUsage, ...]
    volumes: tuple[VolumeUsage, ...]
    cache: tuple[CacheUsage, ...]


def measure_disk_usage(engine: EmbeddedEngine) -> DiskUsage:
    """What images, containers, volumes and the build cache take."""
    containers = list(engine.list())
    stores = every_layer_store(engine)
    images = ImageStore(engine.settings.store_dir)
    first_names = {summary.id: summary for summary in reversed(images.list_images())}
    layers = layers_by_image(images, first_names, [store.measure for store in stores])
    sizes = image_sizes(layers)
    used_ids = {container.spec.image_id for container in containers}
    used_layers = {layer for image_id, each in layers.items() if str(image_id) in used_ids for layer in each}
    return DiskUsage(
        images=tuple(
            ImageUsage(
                summary, sizes[image_id], sum(container.spec.image_id == str(image_id) for container in containers)
            )
            for image_id, summary in reversed(first_names.items())
        ),
        images_bytes=sum(layer.size_bytes for layer in {layer for each in layers.values() for layer in each}),
        images_used_bytes=sum(layer.size_bytes for layer in used_layers),
        containers=tuple(ContainerUsage(container, container_sizes(engine, container)[0]) for container in containers),
        volumes=tuple(_measure_volume(engine, volume) for volume in list_volumes(engine)),
        cache=tuple(_measure_cache(engine, stores)),
    )


def _measure_volume(engine: EmbeddedEngine, volume: StoredVolume) -> VolumeUsage:
    return VolumeUsage(volume, run_mapped(engine.identity, lambda: measure_tree(volume.data)))


def _measure_cache(engine: EmbeddedEngine, stores: Sequence[LayerStore]) -> Iterator[CacheUsage]:
    """Layers that labs have compiled, layers and blobs of no image, and the folders of downloads and notes."""
    for _, record in every_lab(engine.settings):
        for diff_id in map(parse_digest, record.derived):
            size = next((store.record(diff_id).tar_bytes for store in stores if store.has(diff_id)), None)
            if size is not None:
                yield CacheUsage(diff_id.short, "bytecode", size, is_in_use=True, is_reclaimable=False)
    unused = find_unused(engine)
    for mode, diff_id in unused.layers:
        size = next(store.record(diff_id).tar_bytes for store in stores if store.mode == mode)
        yield CacheUsage(diff_id.short, "layer", size, is_in_use=False, is_reclaimable=True)
    if unused.blobs:
        yield CacheUsage("blobs", "archive", unused.blob_bytes, is_in_use=False, is_reclaimable=True)
    cache_dir = engine.settings.cache_dir
    for name in sorted(os.listdir(cache_dir)) if os.path.isdir(cache_dir) else []:
        size = measure_tree(os.path.join(cache_dir, name))
        if size:
            yield CacheUsage(name, "download", size, is_in_use=False, is_reclaimable=False)
