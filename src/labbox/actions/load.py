"""`labbox load`: the images of an archive that labbox, docker, podman or skopeo wrote."""

import os
from typing import BinaryIO

from labbox.actions.collect_garbage import collect_unused
from labbox.actions.image_layers import every_layer_store
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import ArchiveError
from labbox.oci.platform import Platform, machine_platform
from labbox.store.archives.adopting import AdoptedImage, adopt_images
from labbox.store.archives.docker_listing import list_docker_images
from labbox.store.archives.listed import ListedImage
from labbox.store.archives.oci_listing import list_oci_images, manifests_by_config
from labbox.store.archives.receiving import Archive, FolderArchive, TarArchive, read_document
from labbox.store.images import ImageStore


def load_images(
    engine: EmbeddedEngine, source: BinaryIO | str, *, platform: Platform | None = None
) -> list[AdoptedImage]:
    """Keep every image of a tar archive, or of the folder at a path, and unpack its layers.

    A docker-archive or an OCI layout; a tar may be compressed. Nothing of it is believed: raises ArchiveError or
    DigestMismatchError for one that is malformed or lies, and then nothing of it is kept.
    """
    images, layers = ImageStore(engine.settings.store_dir), every_layer_store(engine)
    wanted = platform or machine_platform(os.uname().machine)
    try:
        with images.creating():
            archive: Archive = (
                FolderArchive(source, images.blobs)
                if isinstance(source, str)
                else TarArchive(source, images.blobs, layers)
            )
            return adopt_images(images, layers, _list_images(archive, wanted))
    finally:
        collect_unused(engine)  # what an archive has besides its images, or all of one that was refused


def _list_images(archive: Archive, platform: Platform) -> list[ListedImage]:
    docker = read_document(archive, "manifest.json")
    if docker is not None:
        return list_docker_images(archive, docker, manifests_by_config(archive, platform))
    index = read_document(archive, "index.json")
    if index is None:
        raise ArchiveError(
            "this is no archive of images: it has neither manifest.json nor index.json",
            hint="a root file system is imported with `labbox import`",
        )
    return list_oci_images(archive, index, platform)
