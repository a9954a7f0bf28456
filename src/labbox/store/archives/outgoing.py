"""The archives of layers as they leave this machine, byte for byte as manifests name them, without temporary copies."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from labbox.errors import DigestMismatchError, NotFoundError
from labbox.oci.descriptor import Descriptor
from labbox.oci.digest import Digest
from labbox.store.archives.sinks import copy_file, write_all
from labbox.store.images import ImageStore, StoredImage
from labbox.store.layers import LayerStore
from labbox.store.ownership import ownership_of
from labbox.store.pack import pack_tree

# Writes the archive of this digest by its recipe; returns its length.
WriteByRecipe = Callable[[Digest, Callable[[bytes], object]], int]


class OutgoingLayer(NamedTuple):
    """A layer by what it unpacks to, and by the archive that the image's manifest names."""

    diff_id: Digest
    descriptor: Descriptor


class OutgoingLayers:
    """Writes layers' archives from blobs, from unpacked layers of any mode, and by recipes."""

    def __init__(self, images: ImageStore, layers: Sequence[LayerStore], write_by_recipe: WriteByRecipe) -> None:
        self._images = images
        self._layers = layers
        self._write_by_recipe = write_by_recipe

    def of(self, image: StoredImage) -> list[OutgoingLayer]:
        """The image's layers, lowest first; raises NotFoundError for one that cannot be written."""
        pairs = zip(image.diff_ids, self._images.manifest(image).layers, strict=True)
        found = [OutgoingLayer(diff_id, descriptor) for diff_id, descriptor in pairs]
        for layer in found:
            if not self._is_available(layer):
                raise NotFoundError(
                    f"the archive `{layer.descriptor.digest}` of a layer is not in the store and cannot be made again",
                    hint="pull or build the image again",
                )
        return found

    def needs_recipe(self, layer: OutgoingLayer) -> bool:
        """True when the archive has to be made by its recipe."""
        return not self._images.blobs.has(layer.descriptor.digest) and self._unpacked(layer) is None

    def write(self, layer: OutgoingLayer, target: int) -> int:
        """Write a layer's archive to a descriptor; its length. Raises DigestMismatchError when it comes out otherwise.

        Bytes have been written then: whoever writes a file removes it.
        """
        digest = layer.descriptor.digest
        if self._images.blobs.has(digest):
            with self._images.blobs.open(digest) as source:
                return copy_file(source.fileno(), target)
        store = self._unpacked(layer)
        if store is None:
            return self._write_by_recipe(digest, lambda data: write_all(target, data))
        return _pack(store, layer.diff_id, target)

    def _is_available(self, layer: OutgoingLayer) -> bool:
        return not self.needs_recipe(layer) or self._images.recipes.has(layer.descriptor.digest)

    def _unpacked(self, layer: OutgoingLayer) -> LayerStore | None:
        """The store whose folder packs to the archive."""
        if layer.descriptor.digest != layer.diff_id:
            return None
        return next(
            (store for store in self._layers if store.has(layer.diff_id) and store.record(layer.diff_id).is_canonical),
            None,
        )


def _pack(store: LayerStore, diff_id: Digest, target: int) -> int:
    path, side_table, newest = store.directory(diff_id), store.side_table(diff_id), store.record(diff_id).newest
    mode = ownership_of(store.mode)
    packed = store.run_mapped(
        lambda: pack_tree(
            path, mode=mode, newest=newest, side_table=side_table, write=lambda data: write_all(target, data)
        )
    )
    if packed.diff_id != diff_id:
        raise DigestMismatchError(
            f"layer `{diff_id}` packs to `{packed.diff_id}`: its files were changed",
            hint="check the store: labbox doctor --store",
        )
    return packed.size_bytes
