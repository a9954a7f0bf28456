import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbox.errors import ArchiveError, NotFoundError
from labbox.oci import media_types
from labbox.oci.descriptor import Descriptor
from labbox.oci.digest import Digest
from labbox.oci.manifest import Index, Manifest, encode_index, encode_manifest, parse_manifest, select_platform
from labbox.oci.platform import Platform

CONFIG = Descriptor(media_types.OCI_CONFIG, Digest("sha256", "1" * 64), 10)
LAYER = Descriptor(media_types.OCI_LAYER_GZIP, Digest("sha256", "2" * 64), 20, annotations={"a": "b"})
MANIFEST = Manifest(CONFIG, (LAYER,), annotations={"x": "y"})


def image_document(**changes: Any) -> Any:
    document = json.loads(encode_manifest(MANIFEST))
    document.update(changes)
    return json.dumps({key: value for key, value in document.items() if value is not ...}).encode()


def test_a_manifest_survives_a_round_trip() -> None:
    assert parse_manifest(encode_manifest(MANIFEST)) == MANIFEST


def test_an_index_survives_a_round_trip() -> None:
    entry = Descriptor(media_types.OCI_MANIFEST, Digest("sha256", "3" * 64), 5, Platform("linux", "arm", "v7"))
    index = Index((entry, entry._replace(extra={"urls": ["https://example.org"]})))
    assert parse_manifest(encode_index(index)) == index


def test_equal_manifests_are_equal_bytes() -> None:
    reordered = json.dumps(dict(reversed(json.loads(encode_manifest(MANIFEST)).items())), indent=3).encode()
    parsed = parse_manifest(reordered)
    assert isinstance(parsed, Manifest)
    assert encode_manifest(parsed) == encode_manifest(MANIFEST)


def test_docker_schema_2_is_read() -> None:
    data = image_document(mediaType=media_types.DOCKER_MANIFEST)
    parsed = parse_manifest(data)
    assert parsed.media_type == media_types.DOCKER_MANIFEST
    listing = json.dumps({"schemaVersion": 2, "mediaType": media_types.DOCKER_INDEX, "manifests": []}).encode()
    assert parse_manifest(listing) == Index((), media_types.DOCKER_INDEX)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "manifest is not JSON"),
        (b"[]", "manifest: expected an object"),
        (b"\xff\xfe", "manifest is not JSON"),
        (b"[" * 100_000, "manifest is not JSON"),
        (b"{}" + b" " * (5 << 20), "manifest is too large"),
        (b'{"schemaVersion": 1}', "manifest.schemaVersion: `1` is not supported"),
        (b'{"schemaVersion": true}', "manifest.schemaVersion: expected a whole number"),
        (b'{"schemaVersion": 2}', "manifest.layers: missing required value"),
        (image_document(config=...), "manifest.config: missing required value"),
        (image_document(config=[]), "manifest.config: expected an object"),
        (image_document(layers={}), "manifest.layers: expected a list"),
        (image_document(layers=[3]), "manifest.layers[0]: expected an object, found `3`"),
        (image_document(layers=[{"mediaType": "x", "digest": "sha256:../..", "size": 1}]), "manifest.layers[0].digest"),
        (image_document(layers=[{**LAYER.to_document(), "size": -1}]), "manifest.layers[0].size: expected a size"),
        (image_document(layers=[LAYER.to_document()] * 501), "at most 500 can be stacked"),
        (image_document(mediaType="text/html"), "manifest.mediaType"),
        (image_document(mediaType=media_types.OCI_INDEX), "manifest.mediaType"),
        (image_document(manifests=[]), "is both an index and a manifest"),
        (image_document(fsLayers=[]), "mixes Docker schema 1"),
        (image_document(annotations={"a": 1}), "manifest.annotations.a: expected a string"),
    ],
)
def test_a_faulty_manifest_names_the_fault(data: bytes, fault: str) -> None:
    with pytest.raises(ArchiveError) as caught:
        parse_manifest(data)
    assert fault in caught.value.message


def test_the_image_for_the_machine_is_chosen_and_attestations_are_passed_over() -> None:
    arm = Descriptor(media_types.OCI_MANIFEST, Digest("sha256", "a" * 64), 1, Platform("linux", "arm64", "v8"))
    amd = arm._replace(digest=Digest("sha256", "b" * 64), platform=Platform("linux", "amd64"))
    attestation = arm._replace(digest=Digest("sha256", "c" * 64), platform=Platform("unknown", "unknown"))
    index = Index((attestation, arm, amd))
    assert select_platform(index, Platform("linux", "amd64")) == amd
    assert select_platform(index, Platform("linux", "arm64")) == arm
    with pytest.raises(NotFoundError, match="there are: linux/amd64, linux/arm64/v8"):
        select_platform(index, Platform("linux", "riscv64"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["schemaVersion", "mediaType", "config", "layers", "manifests", "digest", "size"]), inner
        )
    ),
)


@given(JSON)
def test_no_document_raises_anything_but_an_archive_error(document: Any) -> None:
    with contextlib.suppress(ArchiveError):
        parse_manifest(json.dumps(document).encode())
