"""The images that docker's manifest.json lists (moby, image/tarexport/load.go)."""

import json
from collections.abc import Mapping

from labbox.errors import ArchiveError, UsageError
from labbox.oci import document, media_types
from labbox.oci.descriptor import Descriptor
from labbox.oci.digest import Digest
from labbox.oci.manifest import Manifest, encode_manifest
from labbox.oci.reference import Reference, parse_reference
from labbox.store.archives.listed import ListedImage
from labbox.store.archives.receiving import Archive, ReceivedFile, read_document
from labbox.store.decompress import compression_of

_MEDIA_TYPES = {"gzip": media_types.OCI_LAYER_GZIP, "zstd": media_types.OCI_LAYER_ZSTD, "none": media_types.OCI_LAYER}


def list_docker_images(archive: Archive, data: bytes, known: Mapping[Digest, bytes]) -> list[ListedImage]:
    """Every image of a manifest.json.

    `known` has manifests by the digest of their config, for archives that are OCI layouts as well: an image keeps the
    one it had. Raises ArchiveError for what is malformed or missing.
    """
    return [
        _read_item(archive, item, f"manifest.json[{at}]", known)
        for at, item in enumerate(document.as_list(_parse(data), "manifest.json"))
    ]


def _parse(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"manifest.json is not JSON: {error}") from error


def _read_item(archive: Archive, item: object, path: str, known: Mapping[Digest, bytes]) -> ListedImage:
    members = document.as_object(item, path)
    config_name = document.required(members, "Config", path, document.as_text)
    config = _find(archive, config_name)
    config_bytes = read_document(archive, config_name) or b""
    names = document.as_texts(members.get("RepoTags"), f"{path}.RepoTags")
    layers = [_find(archive, name) for name in document.as_texts(members.get("Layers"), f"{path}.Layers")]
    if config.digest in known:
        return ListedImage(config_bytes, known[config.digest], _read_names(names))
    manifest = Manifest(
        Descriptor(media_types.OCI_CONFIG, config.digest, config.size_bytes),
        tuple(Descriptor(_media_type(archive, layer), layer.digest, layer.size_bytes) for layer in layers),
    )
    return ListedImage(config_bytes, encode_manifest(manifest), _read_names(names), is_manifest_made=True)


def _find(archive: Archive, name: str) -> ReceivedFile:
    found = archive.find(name)
    if found is None:
        raise ArchiveError(f"manifest.json names `{name}`, which the archive does not have")
    return found


def _media_type(archive: Archive, layer: ReceivedFile) -> str:
    if not archive.blobs.has(layer.digest):
        return media_types.OCI_LAYER  # unpacked already, by the digest of its plain tar
    with archive.blobs.open(layer.digest) as file:
        compression = compression_of(file)
    if compression not in _MEDIA_TYPES:
        raise ArchiveError(f"layer `{layer.digest}` is compressed with {compression}, which images do not use")
    return _MEDIA_TYPES[compression]


def _read_names(names: tuple[str, ...]) -> tuple[Reference, ...]:
    """The names; docker refuses one without a tag."""
    found = []
    for name in names:
        try:
            reference = parse_reference(name)
        except UsageError as error:
            raise ArchiveError(f'invalid tag "{name}" in manifest.json: {error.message}') from error
        if not reference.tag:
            raise ArchiveError(f'invalid tag "{name}" in manifest.json')
        found.append(reference._replace(digest=None))
    return tuple(dict.fromkeys(found))
