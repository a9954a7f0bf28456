"""A small image on a registry in memory."""

import hashlib
import io
import json
import random
import tarfile

from registry.fake_registry import MANIFEST, FakeRegistry

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_KINDS = {
    MANIFEST: ("application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar"),
    DOCKER_MANIFEST: (
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.docker.image.rootfs.diff.tar",
    ),
}


def layer_of(*names: str, size: int = 2 << 20) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = size
            archive.addfile(entry, io.BytesIO(random.Random(name).randbytes(size)))
    return buffer.getvalue()


def offer_image(
    fake: FakeRegistry, name: str, tag: str, layers: list[bytes], *, kind: str = MANIFEST, lie: int = 0
) -> str:
    """Put an image there and return its manifest's digest; `lie` is added to the sizes of layers."""
    config_type, layer_type = _KINDS[kind]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]},
    }
    data = json.dumps(config).encode()
    document = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {"mediaType": config_type, "digest": fake.put_blob(data), "size": len(data)},
        "layers": [
            {"mediaType": layer_type, "digest": fake.put_blob(layer), "size": len(layer) + lie} for layer in layers
        ],
    }
    return fake.put_manifest(name, tag, document, kind)
