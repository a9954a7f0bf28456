"""The system below a lab: a Debian assembled from its lock, or an image that is here, and packages laid over it."""

import hashlib
import json
from collections.abc import Sequence
from typing import NamedTuple

from labbox.build.children import Report
from labbox.build.known_layers import KnownLayers, known_systems
from labbox.build.system import assemble_layer, system_config
from labbox.build.system_addition import add_packages
from labbox.errors import NotFoundError, UsageError
from labbox.linux.idmap import Identity
from labbox.lock.fetch_system import fetch_debs
from labbox.lock.lab import LabLock, LockedImage
from labbox.lock.system import LockedDeb, SystemLock
from labbox.oci.config import History, ImageConfig
from labbox.oci.descriptor import Descriptor
from labbox.oci.digest import Digest
from labbox.packages.debian.archive import Archive
from labbox.settings import Settings
from labbox.store.images import ImageStore, layer_descriptor
from labbox.store.layers import LayerStore
from labbox.store.provide import provide_layers
from labbox.store.tar_writer import PackedTree


class LabSystem(NamedTuple):
    """The system's configuration, with its layers (lowest first) as the manifest names them."""

    config: ImageConfig
    descriptors: tuple[Descriptor, ...]


def provide_system(
    lock: LabLock, settings: Settings, archive: Archive, identity: Identity, layers: LayerStore, report: Report
) -> LabSystem:
    """The lab's system, unpacked in this mode. Hold `layers.creating()` until an image names its layers.

    Raises NotFoundError when the system is an image that is not here, DownloadError when packages cannot be had.
    """
    if isinstance(lock.system, LockedImage):
        system = _find_image(lock.system, settings, layers)
    else:
        packed = _assemble(lock.system, settings, archive, identity, layers, report)
        system = LabSystem(system_config(lock.system, packed), (layer_descriptor(packed),))
    if not lock.additions:
        return system
    added = _add(lock, system.config.diff_ids, settings, archive, identity, layers, report)
    step = History(created=system.config.created, created_by="labbox: system packages")
    return LabSystem(system.config.with_layer(added.diff_id, step), (*system.descriptors, layer_descriptor(added)))


def _find_image(image: LockedImage, settings: Settings, layers: LayerStore) -> LabSystem:
    images = ImageStore(settings.store_dir)
    found = images.find(f"{image.name.partition('@')[0]}@{image.digest}")
    if found is None:
        raise NotFoundError(f"the lab's system `{image.name}` ({image.digest}) is not here", hint="import or build it")
    provide_layers(images, layers, found)
    return LabSystem(found.config, tuple(images.manifest(found).layers))


def _assemble(
    lock: SystemLock, settings: Settings, archive: Archive, identity: Identity, layers: LayerStore, report: Report
) -> PackedTree:
    known = known_systems(settings.cache_dir)
    packed = known.find(lock.key(), layers)
    if packed is None:
        paths = fetch_debs(
            lock.debs,
            lock.fetched_at,
            archive,
            progress=lambda done: report("system download", done.done_bytes, done.total_bytes),
        )
        packed = assemble_layer(lock, {key: file.path for key, file in paths.items()}, layers, identity, report)
        known.remember(lock.key(), packed)
    return packed


def _add(
    lock: LabLock,
    below: Sequence[Digest],
    settings: Settings,
    archive: Archive,
    identity: Identity,
    layers: LayerStore,
    report: Report,
) -> PackedTree:
    known, key = KnownLayers(settings.cache_dir, "additions"), _addition_key(lock.additions, below)
    packed = known.find(key, layers)
    if packed is not None:
        return packed
    if not isinstance(lock.system, SystemLock):
        raise UsageError(f"system packages cannot be laid over the image `{lock.system.name}`")
    files = fetch_debs(
        lock.additions,
        lock.system.fetched_at,
        archive,
        progress=lambda done: report("system download", done.done_bytes, done.total_bytes),
    )
    packed = add_packages(
        lock.additions,
        {key: file.path for key, file in files.items()},
        below,
        architecture=lock.system.architecture,
        epoch=lock.system.epoch,
        layers=layers,
        identity=identity,
        report=report,
    )
    known.remember(key, packed)
    return packed


def _addition_key(debs: Sequence[LockedDeb], below: Sequence[Digest]) -> str:
    document = [[str(diff_id) for diff_id in below], [[deb.name, deb.sha256, deb.manual] for deb in debs]]
    return hashlib.sha256(json.dumps(document).encode()).hexdigest()
