"""How much disk images take, and how much of it they share: by layers, each counted once however many have it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from labbox.oci.digest import Digest
from labbox.store.images import ImageStore, StoredImage

# Tells the unpacked size of a layer, None when it is not unpacked (`LayerStore.measure`).
Measure = Callable[[Digest], int | None]


class LayerSize(NamedTuple):
    """A layer of an image and its size: of its plain tar, or where nobody knows that, of its archive."""

    diff_id: Digest
    size_bytes: int


class ImageSize(NamedTuple):
    """The size of an image: what it shares with others, and what removing it would give back."""

    shared_bytes: int
    unique_bytes: int

    @property
    def size_bytes(self) -> int:
        """All of it."""
        return self.shared_bytes + self.unique_bytes


def layer_sizes(images: ImageStore, image: StoredImage, measures: Sequence[Measure]) -> list[LayerSize]:
    """The layers of an image, lowest first."""
    pairs = zip(image.diff_ids, images.manifest(image).layers, strict=True)
    return [LayerSize(diff_id, _measure(diff_id, measures, layer.size_bytes)) for diff_id, layer in pairs]


def layers_by_image(
    images: ImageStore, image_ids: Iterable[Digest], measures: Sequence[Measure]
) -> dict[Digest, list[LayerSize]]:
    """The layers of several images."""
    return {image_id: layer_sizes(images, images.resolve(str(image_id)), measures) for image_id in set(image_ids)}


def image_sizes(layers: Mapping[Digest, Sequence[LayerSize]]) -> dict[Digest, ImageSize]:
    """What each image shares with any other of them, and what it has alone."""
    users = Counter(layer for each in layers.values() for layer in set(each))
    sizes = {}
    for image_id, each in layers.items():
        own = set(each)
        shared = sum(layer.size_bytes for layer in own if users[layer] > 1)
        sizes[image_id] = ImageSize(shared, sum(layer.size_bytes for layer in own) - shared)
    return sizes


def _measure(diff_id: Digest, measures: Sequence[Measure], otherwise: int) -> int:
    found = (measure(diff_id) for measure in measures)
    return next((size for size in found if size is not None), otherwise)
