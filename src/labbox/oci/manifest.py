"""Manifests and indexes: the config and layers of one image, the images of one name.

Sources: image-spec manifest.md and image-index.md.
Docker's schema 2 documents have the same shape under other media types and are read as well; OCI is written.
"""

from collections.abc import Mapping

from labbox.errors import ArchiveError, NotFoundError
from labbox.lightweight_typing import Any, NamedTuple
from labbox.oci import document, media_types
from labbox.oci.canonical_json import encode_canonical
from labbox.oci.descriptor import Descriptor, parse_descriptor
from labbox.oci.platform import Platform, serves

_SCHEMA_VERSION = 2
MAX_LAYERS = 500  # overlayfs stacks no more (fs/overlayfs/params.h, OVL_MAX_STACK)


class Manifest(NamedTuple):
    """One image: its config and its layers, lowest first."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str = media_types.OCI_MANIFEST
    annotations: Mapping[str, str] = {}


class Index(NamedTuple):
    """Several images under one name, each for a platform."""

    manifests: tuple[Descriptor, ...]
    media_type: str = media_types.OCI_INDEX
    annotations: Mapping[str, str] = {}


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest as canonical JSON."""
    result: dict[str, Any] = {
        "schemaVersion": _SCHEMA_VERSION,
        "mediaType": manifest.media_type,
        "config": manifest.config.to_document(),
        "layers": [layer.to_document() for layer in manifest.layers],
    }
    if manifest.annotations:
        result["annotations"] = dict(manifest.annotations)
    return encode_canonical(result)


def encode_index(index: Index) -> bytes:
    """The index as canonical JSON."""
    result: dict[str, Any] = {
        "schemaVersion": _SCHEMA_VERSION,
        "mediaType": index.media_type,
        "manifests": [manifest.to_document() for manifest in index.manifests],
    }
    if index.annotations:
        result["annotations"] = dict(index.annotations)
    return encode_canonical(result)


def parse_manifest(data: bytes, what: str = "manifest") -> Manifest | Index:
    """The manifest or index that some bytes spell; raises ArchiveError naming the faulty member."""
    members = document.parse_object(data, what)
    version = document.required(members, "schemaVersion", what, document.as_integer)
    if version != _SCHEMA_VERSION:
        raise ArchiveError(
            f"{what}.schemaVersion: `{version}` is not supported, only 2",
            hint="push the image again with a current tool: Docker schema 1 ended in 2019" if version == 1 else None,
        )
    media_type = document.optional(members, "mediaType", what, document.as_text, "")
    _refuse_ambiguity(members, media_type, what)
    if "manifests" in members:
        return _parse_index(members, media_type or media_types.OCI_INDEX, what)
    return _parse_image(members, media_type or media_types.OCI_MANIFEST, what)


def select_platform(index: Index, wanted: Platform) -> Descriptor:
    """The first image of an index that runs on a platform; raises NotFoundError listing what there is."""
    candidates = [entry for entry in index.manifests if entry.media_type in media_types.MANIFESTS]
    for entry in candidates:
        if entry.platform is not None and serves(entry.platform, wanted):
            return entry
    if len(candidates) == 1 and candidates[0].platform is None:
        return candidates[0]
    offered = sorted({str(entry.platform) for entry in candidates if entry.platform and entry.platform.os != "unknown"})
    raise NotFoundError(f"no image for platform `{wanted}`; there are: {', '.join(offered) or 'none'}")


def _refuse_ambiguity(members: Mapping[str, Any], media_type: str, what: str) -> None:
    """A document that reads as two kinds means different images to different readers (CVE-2021-41190)."""
    if "manifests" in members and ("layers" in members or "config" in members):
        raise ArchiveError(f"{what}: is both an index and a manifest")
    if "fsLayers" in members or "history" in members:
        raise ArchiveError(f"{what}: mixes Docker schema 1 with schema 2")
    expected = media_types.INDEXES if "manifests" in members else media_types.MANIFESTS
    if media_type and media_type not in expected:
        raise ArchiveError(f"{what}.mediaType: `{media_type}` is not one of {', '.join(expected)}")


def _parse_index(members: Mapping[str, Any], media_type: str, what: str) -> Index:
    entries = document.required(members, "manifests", what, document.as_list)
    return Index(
        manifests=tuple(parse_descriptor(entry, f"{what}.manifests[{at}]") for at, entry in enumerate(entries)),
        media_type=media_type,
        annotations=document.optional(members, "annotations", what, document.as_text_map, {}),
    )


def _parse_image(members: Mapping[str, Any], media_type: str, what: str) -> Manifest:
    layers = document.required(members, "layers", what, document.as_list)
    if len(layers) > MAX_LAYERS:
        raise ArchiveError(f"{what}.layers: {len(layers)} layers, at most {MAX_LAYERS} can be stacked")
    return Manifest(
        config=document.required(members, "config", what, parse_descriptor),
        layers=tuple(parse_descriptor(layer, f"{what}.layers[{at}]") for at, layer in enumerate(layers)),
        media_type=media_type,
        annotations=document.optional(members, "annotations", what, document.as_text_map, {}),
    )
