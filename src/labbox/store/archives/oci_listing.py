"""The images of an OCI image layout (image-spec image-layout.md), as skopeo, podman, umoci and docker write it."""

from collections.abc import Mapping

from labbox.errors import ArchiveError, NotFoundError, UsageError
from labbox.oci import document, media_types
from labbox.oci.descriptor import Descriptor
from labbox.oci.digest import Digest
from labbox.oci.manifest import Index, Manifest, parse_manifest, select_platform
from labbox.oci.platform import Platform
from labbox.oci.reference import Reference, parse_reference
from labbox.store.archives.listed import ListedImage
from labbox.store.archives.receiving import Archive, ReceivedFile, read_document
from labbox.store.archives.writing import CONTAINERD_NAME_ANNOTATION
from labbox.store.images import NAME_ANNOTATION

_MAX_DEPTH = 4
_ATTESTATION = "vnd.docker.reference.type"  # of BuildKit: statements about an image, no image


def list_oci_images(archive: Archive, data: bytes, platform: Platform) -> list[ListedImage]:
    """Every image of an index.json, each once with all its names; of an index of platforms the one for `platform`.

    Raises ArchiveError for what is malformed, missing or not as long as it should be.
    """
    version = document.parse_object(read_document(archive, "oci-layout") or b"{}", "oci-layout")
    if version.get("imageLayoutVersion") != "1.0.0":
        raise ArchiveError(f"oci-layout: version `{version.get('imageLayoutVersion')}` is not 1.0.0")
    index = parse_manifest(data, "index.json")
    if not isinstance(index, Index):
        raise ArchiveError("index.json: is no index")
    found: dict[bytes, ListedImage] = {}
    for entry in index.manifests:
        if _is_image(entry):
            listed = _read_image(archive, entry, platform, 0)
            before = found.get(listed.manifest, listed)
            found[listed.manifest] = listed._replace(names=tuple(dict.fromkeys([*before.names, *_names_of(entry)])))
    return list(found.values())


def manifests_by_config(archive: Archive, platform: Platform) -> Mapping[Digest, bytes]:
    """The manifests of the layout that an archive is besides, if it is one, by the digest of their config."""
    data = read_document(archive, "index.json")
    if data is None or archive.find("oci-layout") is None:
        return {}
    listed = list_oci_images(archive, data, platform)
    return {_parse_image(image.manifest).config.digest: image.manifest for image in listed}


def _read_image(archive: Archive, entry: Descriptor, platform: Platform, depth: int) -> ListedImage:
    data = read_blob(archive, entry)
    manifest = parse_manifest(data, f"manifest {entry.digest.short}")
    if isinstance(manifest, Index):
        if depth >= _MAX_DEPTH:
            raise ArchiveError(f"index `{entry.digest}` is nested too deep")
        return _read_image(archive, _choose(archive, manifest, platform), platform, depth + 1)
    if manifest.config.media_type not in media_types.CONFIGS:
        raise ArchiveError(f"`{entry.digest}` is no image, but has a config of type `{manifest.config.media_type}`")
    config = read_blob(archive, manifest.config)
    for layer in manifest.layers:
        _find(archive, layer)
    return ListedImage(config, data, ())


def read_blob(archive: Archive, descriptor: Descriptor) -> bytes:
    """A small blob that a descriptor names."""
    _find(archive, descriptor)
    return read_document(archive, _path(descriptor)) or b""


def _choose(archive: Archive, index: Index, platform: Platform) -> Descriptor:
    """The image for a platform; when the archive has but one of the index, that one."""
    here = [entry for entry in index.manifests if _is_image(entry) and archive.find(_path(entry)) is not None]
    if len(here) == 1:
        return here[0]
    try:
        return select_platform(index._replace(manifests=tuple(here)), platform)
    except NotFoundError as error:
        raise ArchiveError(error.message) from error


def _is_image(entry: Descriptor) -> bool:
    return entry.annotations.get(_ATTESTATION) is None and entry.media_type in (
        *media_types.MANIFESTS,
        *media_types.INDEXES,
    )


def _find(archive: Archive, descriptor: Descriptor) -> ReceivedFile:
    found = archive.find(_path(descriptor))
    if found is None:
        raise ArchiveError(f"the archive does not have blob `{descriptor.digest}`, which it names")
    if found.size_bytes != descriptor.size_bytes:
        raise ArchiveError(f"blob `{descriptor.digest}` has {found.size_bytes} bytes, not {descriptor.size_bytes}")
    return found


def _path(descriptor: Descriptor) -> str:
    return f"blobs/{descriptor.digest.algorithm}/{descriptor.digest.hex}"


def _names_of(entry: Descriptor) -> list[Reference]:
    """The name an entry has: in full where containerd or docker wrote it, as given in podman and skopeo."""
    for key in (CONTAINERD_NAME_ANNOTATION, NAME_ANNOTATION):
        try:
            reference = parse_reference(entry.annotations[key]).with_default_tag()
        except (KeyError, UsageError):
            continue  # the specification allows names that are no references; an image needs none
        return [reference._replace(digest=None)] if reference.tag else []
    return []


def _parse_image(data: bytes) -> Manifest:
    manifest = parse_manifest(data)
    if isinstance(manifest, Index):
        raise ArchiveError("an index of several images is not one image")
    return manifest
