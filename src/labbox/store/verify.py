"""Checking the store: what is missing, what is damaged, what nobody needs (`labbox doctor --store`)."""

import os
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from labbox.errors import DigestMismatchError, LabboxError
from labbox.oci.digest import Digest
from labbox.oci.manifest import Index, Manifest, parse_manifest
from labbox.store.images import ImageStore, parse_diff_ids
from labbox.store.layers import LayerStore
from labbox.store.ownership import ownership_of
from labbox.store.pack import pack_tree

ProblemKind = Literal["missing", "damaged", "unreadable"]


class Problem(NamedTuple):
    """One thing that is wrong: what it is about and what was found."""

    kind: ProblemKind
    subject: str
    detail: str


def verify_store(images: ImageStore, layers: Sequence[LayerStore], *, with_contents: bool = True) -> list[Problem]:
    """Every problem of the store. `with_contents` hashes all blobs and repacks all layers that labbox made.

    A layer that came from elsewhere is packed differently here than it was there: only its record is checked.
    """
    problems = [*_verify_names(images, layers), *_verify_recipes(images)]
    if with_contents:
        problems.extend(_verify_blobs(images))
    for store in layers:
        for diff_id in store.diff_ids():
            problems.extend(_verify_layer(store, diff_id, with_contents=with_contents))
    return problems


def _verify_names(images: ImageStore, layers: Sequence[LayerStore]) -> Iterator[Problem]:
    """Every image has its manifest, its config, and each layer unpacked or as a blob."""
    try:
        stated = images.stated_ids()
    except LabboxError as error:
        yield Problem("unreadable", "index.json", error.message)
        return
    for digest in sorted({digest for digest, _ in stated}):
        yield from _verify_manifest(images, layers, digest)
    for digest, image_id in stated:
        if image_id is not None and images.blobs.has(digest) and not _names_config(images.blobs.read(digest), image_id):
            yield Problem("damaged", f"manifest {digest}", f"the index says it is image {image_id}, and it is not")


def _names_config(manifest: bytes, image_id: Digest) -> bool:
    try:
        parsed = parse_manifest(manifest)
    except LabboxError:
        return True  # reported as unreadable already
    return isinstance(parsed, Index) or parsed.config.digest == image_id


def _verify_manifest(images: ImageStore, layers: Sequence[LayerStore], digest: Digest) -> Iterator[Problem]:
    try:
        manifest = parse_manifest(images.blobs.read(digest, verify=True), f"manifest {digest.short}")
    except LabboxError as error:
        kind: ProblemKind = "damaged" if isinstance(error, DigestMismatchError) else "missing"
        yield Problem(kind, f"manifest {digest}", error.message)
        return
    if isinstance(manifest, Index):
        for entry in manifest.manifests:
            if images.blobs.has(entry.digest):
                yield from _verify_manifest(images, layers, entry.digest)
        return
    yield from _verify_image(images, layers, manifest)


def _verify_image(images: ImageStore, layers: Sequence[LayerStore], manifest: Manifest) -> Iterator[Problem]:
    config = manifest.config.digest
    try:
        diff_ids = parse_diff_ids(images.blobs.read(config, verify=True))
    except LabboxError as error:
        yield Problem("missing", f"image {config}", error.message)
        return
    if len(diff_ids) != len(manifest.layers):
        yield Problem("damaged", f"image {config}", f"{len(diff_ids)} diff_ids for {len(manifest.layers)} layers")
        return
    for diff_id, layer in zip(diff_ids, manifest.layers, strict=True):
        if images.blobs.has(layer.digest):
            continue
        has_recipe = images.recipes.has(layer.digest)
        if not has_recipe and not any(store.has(diff_id) for store in layers):
            yield Problem("missing", f"image {config}", f"layer {diff_id} is neither unpacked nor a blob")
        elif not has_recipe and layer.digest != diff_id:
            yield Problem("missing", f"image {config}", f"archive {layer.digest} is no blob and has no recipe")


def _verify_recipes(images: ImageStore) -> Iterator[Problem]:
    for digest in images.recipes.digests():
        try:
            images.recipes.read(digest)
        except LabboxError as error:
            yield Problem("unreadable", f"recipe {digest}", error.message)


def _verify_blobs(images: ImageStore) -> Iterator[Problem]:
    for digest in images.blobs.digests():
        try:
            images.blobs.verify(digest)
        except LabboxError as error:
            yield Problem("damaged", f"blob {digest}", error.message)


def _verify_layer(store: LayerStore, diff_id: Digest, *, with_contents: bool) -> Iterator[Problem]:
    subject = f"layer {diff_id} ({store.mode})"
    try:
        record, side_table = store.record(diff_id), store.side_table(diff_id)
    except (LabboxError, ValueError, KeyError) as error:
        yield Problem("unreadable", subject, f"its record cannot be read: {error}")
        return
    if not with_contents or not record.is_canonical:
        return
    path, mode = store.directory(diff_id), ownership_of(store.mode)
    packed = store.run_mapped(lambda: pack_tree(path, mode=mode, newest=record.newest, side_table=side_table))
    if packed.diff_id != diff_id:
        yield Problem("damaged", subject, f"{os.path.basename(path)[:12]} packs to {packed.diff_id} now")
