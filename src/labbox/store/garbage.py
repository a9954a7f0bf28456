"""Removing what no image and no container needs: blobs, recipes, unpacked layers, leftovers of killed commands.

What is needed is marked from the names in the index and from the image ids of the containers, which the caller hands
in. Whoever makes an image or a container holds `.in-use` together with others; the collector holds it alone, so that
nothing half made is ever seen.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from labbox.errors import ConflictError, StoreError
from labbox.files import remove_tree, try_lock
from labbox.oci.digest import Digest
from labbox.oci.document import MAX_DOCUMENT_BYTES
from labbox.oci.manifest import Index, Manifest, parse_manifest
from labbox.store.images import ImageStore, parse_diff_ids
from labbox.store.layers import LayerStore, in_use_path

_PARTIAL_SECONDS = 7 * 24 * 3600


class Garbage(NamedTuple):
    """What was removed, or would be: blobs with their bytes, layers by mode, leftovers of killed commands."""

    blobs: tuple[Digest, ...]
    blob_bytes: int
    layers: tuple[tuple[str, Digest], ...]
    layer_bytes: int
    leftovers: tuple[str, ...]


class _Needed(NamedTuple):
    blobs: set[Digest]
    diff_ids: set[Digest]


def collect_garbage(
    images: ImageStore,
    layers: Sequence[LayerStore],
    pinned_images: Callable[[], Iterable[Digest]],
    *,
    pinned_layers: Callable[[], Iterable[Digest]] = tuple,
    is_dry_run: bool = False,
) -> Garbage:
    """Remove everything that neither a name nor one of the `pinned_images` (ids that containers use) needs.

    `pinned_layers` are diff_ids that are needed besides. Both are called once nobody can make a container any more.
    Raises ConflictError while another command is making an image or a container, and StoreError when an image cannot
    be read: then nothing is removed, as nobody can say what it needs.
    """
    if not os.path.isdir(images.store_dir):
        return Garbage((), 0, (), 0, ())
    lock = try_lock(in_use_path(images.store_dir))
    if lock is None:
        raise ConflictError(
            "the image store is in use by another command", hint="wait for builds, pulls and commits to end"
        )
    try:
        return _collect(images, layers, set(pinned_images()), set(pinned_layers()), is_dry_run=is_dry_run)
    finally:
        os.close(lock)


def _collect(
    images: ImageStore,
    layers: Sequence[LayerStore],
    pinned: set[Digest],
    pinned_layers: set[Digest],
    *,
    is_dry_run: bool,
) -> Garbage:
    needed = _mark(images, pinned)
    needed.diff_ids.update(pinned_layers)
    blobs = [digest for digest in images.blobs.digests() if digest not in needed.blobs]
    doomed = [(store, digest) for store in layers for digest in store.diff_ids() if digest not in needed.diff_ids]
    garbage = Garbage(
        blobs=tuple(blobs),
        blob_bytes=sum(images.blobs.size_bytes(digest) for digest in blobs),
        layers=tuple((store.mode, digest) for store, digest in doomed),
        layer_bytes=sum(store.record(digest).tar_bytes for store, digest in doomed if store.has_record(digest)),
        leftovers=tuple(_leftovers(images.store_dir, layers)),
    )
    if not is_dry_run:
        for store, diff_id in doomed:
            store.remove(diff_id)
        for digest in blobs:
            images.blobs.remove(digest)
        for digest in set(images.recipes.digests()) - needed.blobs:
            images.recipes.remove(digest)  # a few hundred bytes each: not worth a line of the report
        _remove_leftovers(garbage.leftovers, layers)
    return garbage


def _mark(images: ImageStore, pinned: set[Digest]) -> _Needed:
    """Everything the index leads to, and for pinned ids without a name every manifest that has such a config."""
    needed = _Needed(set(), set())
    found: set[Digest] = set()
    for digest in images.manifests():
        found |= _mark_manifest(images, digest, needed)
    if pinned - found:
        for digest, manifest in _all_manifests(images).items():
            if manifest.config.digest in pinned - found:
                _mark_manifest(images, digest, needed)
    for config in pinned - found:
        if images.blobs.has(config):
            needed.blobs.add(config)
            needed.diff_ids.update(parse_diff_ids(images.blobs.read(config)))
    return needed


def _mark_manifest(images: ImageStore, digest: Digest, needed: _Needed) -> set[Digest]:
    """Mark a manifest or index with all it leads to that is here; the image ids found."""
    if not images.blobs.has(digest):
        raise StoreError(f"manifest `{digest}` of a named image is missing", hint="run `labbox doctor --store`")
    needed.blobs.add(digest)
    manifest = parse_manifest(images.blobs.read(digest), f"manifest {digest.short}")
    if isinstance(manifest, Index):
        here = [entry.digest for entry in manifest.manifests if images.blobs.has(entry.digest)]
        return {found for entry in here for found in _mark_manifest(images, entry, needed)}
    needed.blobs.add(manifest.config.digest)
    needed.blobs.update(layer.digest for layer in manifest.layers)
    if images.blobs.has(manifest.config.digest):
        needed.diff_ids.update(parse_diff_ids(images.blobs.read(manifest.config.digest)))
    return {manifest.config.digest}


def _all_manifests(images: ImageStore) -> Mapping[Digest, Manifest]:
    """Every blob that reads as the manifest of one image."""
    manifests: dict[Digest, Manifest] = {}
    for digest in images.blobs.digests():
        if images.blobs.size_bytes(digest) > MAX_DOCUMENT_BYTES:
            continue
        data = images.blobs.read(digest)
        if data[:1] != b"{" or b'"layers"' not in data:
            continue
        try:
            manifest = parse_manifest(data)
        except StoreError:
            continue
        if isinstance(manifest, Manifest):
            manifests[digest] = manifest
    return manifests


def _leftovers(store_dir: str, layers: Sequence[LayerStore]) -> list[str]:
    """Paths that killed commands left: nobody is working now, so all of `tmp/` and every half-written record."""
    paths = [os.path.join(store_dir, "tmp", name) for name in _names(os.path.join(store_dir, "tmp"))]
    paths += [os.path.join(store_dir, name) for name in _names(store_dir) if name.endswith(".tmp")]
    partial = os.path.join(store_dir, "partial")
    paths += [path for name in _names(partial) if _is_old(path := os.path.join(partial, name))]
    for store in layers:
        names = set(_names(store.layers_dir))
        stray = {
            name for name in names if "." in name and (name.endswith(".tmp") or name.partition(".")[0] not in names)
        }
        paths += [os.path.join(store.layers_dir, name) for name in stray]
    return sorted(paths)


def _is_old(path: str) -> bool:
    """True for what a download that was cut off has left a week ago; until then it may be taken up again."""
    return os.stat(path).st_mtime < time.time() - _PARTIAL_SECONDS


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _remove_leftovers(paths: Iterable[str], layers: Sequence[LayerStore]) -> None:
    """A tree may belong to the users of any mode: each mode tries in turn."""
    for path in paths:
        if not os.path.isdir(path):
            remove_tree(path)
            continue
        refusals = [error for store in layers if (error := _try_to_remove(store, path)) is not None]
        if os.path.lexists(path):
            raise StoreError(f"cannot remove `{path}`: {refusals[-1] if refusals else 'no mode fits'}")


def _try_to_remove(store: LayerStore, path: str) -> OSError | None:
    try:
        store.remove_tree(path)
    except OSError as error:
        return error
    return None
