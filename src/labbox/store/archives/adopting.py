"""Images of an archive made images of the store: every layer checked and unpacked first, then all of them named."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from labbox.errors import ArchiveError, DigestMismatchError
from labbox.oci.config import parse_config
from labbox.oci.descriptor import Descriptor
from labbox.oci.digest import Digest
from labbox.oci.manifest import Index, Manifest, parse_manifest
from labbox.store.archives.listed import ListedImage
from labbox.store.archives.receiving import is_kept_unpacked
from labbox.store.decompress import open_decompressed
from labbox.store.images import ImageStore, StoredImage
from labbox.store.layers import LayerStore

_READ_BYTES = 1 << 20
_AT_ONCE = 4


class AdoptedImage(NamedTuple):
    """An image that is in the store now; `displaced` has the names that other images lost to it, with their ids."""

    image: StoredImage
    names: tuple[str, ...]
    displaced: tuple[tuple[str, Digest], ...]


def adopt_images(images: ImageStore, layers: Sequence[LayerStore], listed: Iterable[ListedImage]) -> list[AdoptedImage]:
    """Keep images whose files have been received; `layers` starts with the mode in which they are unpacked.

    Hold `images.creating()` since the first file was received. Raises ArchiveError or DigestMismatchError before any
    image is named.
    """
    checked = [(image, _check(images, layers, image)) for image in listed]
    adopted = [_adopt(images, image) for image, _ in checked]
    for _, manifest in checked:
        for layer in manifest.layers:
            if is_kept_unpacked(layer.digest, layers) or images.recipes.has(layer.digest):
                images.blobs.remove(layer.digest)  # made again when it leaves the machine
    return adopted


def _check(images: ImageStore, layers: Sequence[LayerStore], listed: ListedImage) -> Manifest:
    """The image's manifest, once its layers are unpacked as its config says."""
    manifest = parse_manifest(listed.manifest)
    if isinstance(manifest, Index):
        raise ArchiveError("an index of several images is not one image")
    diff_ids = parse_config(listed.config, f"config {manifest.config.digest.short}").diff_ids
    if len(diff_ids) != len(manifest.layers):
        raise ArchiveError(
            f"invalid manifest, layers length mismatch: expected {len(diff_ids)}, got {len(manifest.layers)}"
        )
    _unpack_all(images, layers, list(zip(diff_ids, manifest.layers, strict=True)))
    return manifest


def _unpack_all(images: ImageStore, layers: Sequence[LayerStore], pairs: Sequence[tuple[Digest, Descriptor]]) -> None:
    """Unpack layers, several at once where that needs no child processes: inflating and hashing leave Python free."""
    if layers[0].mode != "root":
        for diff_id, layer in pairs:
            _unpack(images, layers, diff_id, layer)
        return
    with ThreadPoolExecutor(min(_AT_ONCE, os.cpu_count() or 1), thread_name_prefix="unpack") as pool:
        futures = [pool.submit(_unpack, images, layers, diff_id, layer) for diff_id, layer in pairs]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _unpack(images: ImageStore, layers: Sequence[LayerStore], diff_id: Digest, layer: Descriptor) -> None:
    """Unpack a layer; one that is here must be what the archive has all the same, as it goes on from here."""
    own, *_ = layers
    if not own.has(diff_id) and images.blobs.has(layer.digest):
        with images.blobs.open(layer.digest) as stream:
            own.unpack(stream, diff_id)
    elif layer.digest != diff_id:
        _verify_plain(images, layer.digest, diff_id)


def _verify_plain(images: ImageStore, digest: Digest, diff_id: Digest) -> None:
    found = hashlib.new(diff_id.algorithm)
    with images.blobs.open(digest) as file:
        stream = open_decompressed(file)
        while data := stream.read_chunk(_READ_BYTES):
            found.update(data)
    if found.hexdigest() != diff_id.hex:
        raise DigestMismatchError(
            f"layer `{digest}` unpacks to `{diff_id.algorithm}:{found.hexdigest()}`, expected `{diff_id}`"
        )


def _adopt(images: ImageStore, listed: ListedImage) -> AdoptedImage:
    image_id = images.blobs.add(listed.config)
    before = [(name, images.find(str(name))) for name in listed.names]
    displaced = tuple((name.familiar, old.id) for name, old in before if old is not None and old.id != image_id)
    known = images.find(str(image_id)) if listed.is_manifest_made or not listed.names else None
    manifest = listed.manifest if known is None else images.blobs.read(known.manifest_digest)
    image = images.add_manifest(manifest, listed.names)
    return AdoptedImage(image, tuple(name.familiar for name in listed.names), displaced)
