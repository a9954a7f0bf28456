"""Images written as an archive: every document and layer once, then what leads to them.

    oci-layout, index.json      an OCI image layout (image-spec image-layout.md)
    manifest.json               docker's list of images, in `docker-archive` only
    blobs/sha256/<hex>          manifests, configs, layers

A docker-archive is both at once, as `docker save` writes it since version 25: `docker load` of every version, skopeo
and podman read one or the other, and manifests keep their digests.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

from labbox.oci.canonical_json import encode_canonical
from labbox.oci.descriptor import Descriptor
from labbox.oci.digest import Digest
from labbox.oci.manifest import Index, encode_index
from labbox.oci.reference import Reference
from labbox.store.archives.outgoing import OutgoingLayer, OutgoingLayers
from labbox.store.archives.sinks import Sink, write_all
from labbox.store.images import NAME_ANNOTATION, ImageStore, StoredImage

Format = Literal["docker-archive", "oci-archive", "oci-dir"]
FORMATS: tuple[Format, ...] = ("docker-archive", "oci-archive", "oci-dir")
# What containerd and docker call the name in full; NAME_ANNOTATION is the tag alone there, the name in full in podman.
CONTAINERD_NAME_ANNOTATION = "io.containerd.image.name"
# Told the bytes of layers that are written and those there are.
ReportBytes = Callable[[int, int], object]
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


class NamedImage(NamedTuple):
    """An image and the names it is to have in the archive."""

    image: StoredImage
    names: tuple[Reference, ...]


def ignore_bytes(done: int, total: int, /) -> None:
    """Report to nobody."""


def write_images(
    images: ImageStore,
    wanted: Sequence[NamedImage],
    layers: OutgoingLayers,
    sink: Sink,
    archive_format: Format,
    report: ReportBytes = ignore_bytes,
) -> None:
    """Write the images to a sink. Hold `images.creating()`, so that nobody removes them meanwhile."""
    is_docker = archive_format == "docker-archive"
    documents: dict[Digest, bytes] = {}
    archives: dict[Digest, OutgoingLayer] = {}
    entries: list[Descriptor] = []
    for each in wanted:
        manifest, digest = images.manifest(each.image), each.image.manifest_digest
        documents[digest] = images.blobs.read(digest, verify=True)
        documents[each.image.id] = images.blobs.read(each.image.id, verify=True)
        archives.update({layer.descriptor.digest: layer for layer in layers.of(each.image)})
        pointer = Descriptor(manifest.media_type, digest, len(documents[digest]), platform=each.image.config.platform)
        entries += [pointer.with_annotations(found) for found in _annotations(each.names, tag_only=is_docker)]
    _add_bytes(sink, "oci-layout", LAYOUT)
    _add_bytes(sink, "index.json", encode_index(Index(tuple(entries))))
    if is_docker:
        _add_bytes(sink, "manifest.json", encode_canonical([_docker_entry(images, each) for each in wanted]))
    for digest, data in documents.items():
        _add_bytes(sink, _blob_path(digest), data)
    total, done = sum(layer.descriptor.size_bytes for layer in archives.values()), 0
    for digest, layer in archives.items():
        report(done, total)
        sink.add(_blob_path(digest), layer.descriptor.size_bytes, _writer(layers, layer))
        done += layer.descriptor.size_bytes
    report(done, total)


def _writer(layers: OutgoingLayers, layer: OutgoingLayer) -> Callable[[int], int]:
    return lambda target: layers.write(layer, target)


def _annotations(names: Iterable[Reference], *, tag_only: bool) -> list[dict[str, str]]:
    """One set for each name, at least one."""
    return [
        {CONTAINERD_NAME_ANNOTATION: str(name), NAME_ANNOTATION: name.tag if tag_only else str(name)} for name in names
    ] or [{}]


def _docker_entry(images: ImageStore, each: NamedImage) -> dict[str, Any]:
    """The image in manifest.json (moby, image/tarexport/tarexport.go, manifestItem)."""
    return {
        "Config": _blob_path(each.image.id),
        "RepoTags": [name.familiar for name in each.names] or None,
        "Layers": [_blob_path(layer.digest) for layer in images.manifest(each.image).layers],
    }


def _blob_path(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"


def _add_bytes(sink: Sink, name: str, data: bytes) -> None:
    sink.add(name, len(data), lambda target: write_all(target, data))
