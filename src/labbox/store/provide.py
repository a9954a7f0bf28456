"""Unpacked layers for an image that has none in this mode: from blobs, another mode's layers, or their recipes."""

import os
import threading
from collections.abc import Callable, Sequence

from labbox.errors import NotFoundError
from labbox.oci.descriptor import Descriptor
from labbox.oci.digest import Digest
from labbox.store.images import ImageStore, StoredImage
from labbox.store.layers import LayerStore
from labbox.store.ownership import ownership_of
from labbox.store.pack import pack_tree

# Unpacks the layers whose archives have these digests, by their recipes.
MakeLayers = Callable[[Sequence[Digest]], object]


def provide_layers(
    images: ImageStore,
    layers: LayerStore,
    image: StoredImage,
    others: Sequence[LayerStore] = (),
    *,
    make: MakeLayers | None = None,
) -> list[str]:
    """The folders of an image's layers, lowest first, unpacked now where they were not.

    `make` unpacks layers by their recipes. Raises NotFoundError when a layer is neither a blob nor unpacked in one of
    the `others` and cannot be made.
    """
    if all(layers.has(diff_id) for diff_id in image.diff_ids):
        return [layers.directory(diff_id) for diff_id in image.diff_ids]
    with layers.creating():
        descriptors = list(zip(image.diff_ids, images.manifest(image).layers, strict=True))
        if make is not None:
            _make(images, [pair for pair in descriptors if not layers.has(pair[0])], others, make)
        for diff_id, descriptor in descriptors:
            if not layers.has(diff_id):
                _provide(images, layers, diff_id, descriptor, others)
    return [layers.directory(diff_id) for diff_id in image.diff_ids]


def _make(
    images: ImageStore,
    missing: Sequence[tuple[Digest, Descriptor]],
    others: Sequence[LayerStore],
    make: MakeLayers,
) -> None:
    """Make at once all layers that are nowhere but in their recipes."""
    wanted = [
        descriptor.digest
        for diff_id, descriptor in missing
        if images.recipes.has(descriptor.digest)
        and not images.blobs.has(descriptor.digest)
        and not any(store.has(diff_id) for store in others)
    ]
    if wanted:
        make(wanted)


def _provide(
    images: ImageStore, layers: LayerStore, diff_id: Digest, descriptor: Descriptor, others: Sequence[LayerStore]
) -> None:
    if images.blobs.has(descriptor.digest):
        with images.blobs.open(descriptor.digest) as stream:
            layers.unpack(stream, diff_id)
        return
    source = next((store for store in others if store.has(diff_id)), None)
    if source is None:
        raise NotFoundError(
            f"layer `{diff_id}` is not unpacked for mode `{layers.mode}`, and its archive is not in the store",
            hint="pull or build the image again",
        )
    _convert(source, layers, diff_id)


def _convert(source: LayerStore, target: LayerStore, diff_id: Digest) -> None:
    """Pack a layer in one mode's namespace and unpack it in the other's, through a pipe."""
    path, side_table, mode = source.directory(diff_id), source.side_table(diff_id), ownership_of(source.mode)
    newest = source.record(diff_id).newest
    reader, writer = os.pipe2(os.O_CLOEXEC)

    def pack() -> None:
        with open(writer, "wb", buffering=0) as pipe:
            source.run_mapped(
                lambda: pack_tree(path, mode=mode, newest=newest, side_table=side_table, write=pipe.write)
            )

    thread = threading.Thread(target=pack, name="pack", daemon=True)
    thread.start()
    try:
        with open(reader, "rb") as stream:
            target.unpack(stream, diff_id)
    finally:
        thread.join()
