"""Which layer the same input gave before, so that it is not made twice on one machine."""

import os

from labbox.errors import UsageError
from labbox.files import make_private_folder, read_json, write_json
from labbox.oci.digest import Digest, parse_digest
from labbox.store.layers import LayerStore
from labbox.store.tar_writer import PackedTree


class KnownLayers:
    """Notes in the cache, by the key of the input; `kind` keeps those of different makers apart."""

    def __init__(self, cache_dir: str, kind: str) -> None:
        self._folder = os.path.join(cache_dir, "layers", kind)

    def find(self, key: str, layers: LayerStore) -> PackedTree | None:
        """The layer that this input gave, when it is still unpacked in the store."""
        try:
            document = read_json(self._path(key))
            diff_id: Digest = parse_digest(document["diff_id"])
            packed = PackedTree(diff_id, int(document["size_bytes"]), int(document["entry_count"]))
        except (OSError, ValueError, KeyError, TypeError, UsageError):  # not known, or a damaged note: made again
            return None
        return packed if layers.has(diff_id) else None

    def remember(self, key: str, packed: PackedTree) -> None:
        """Note the layer that an input gave."""
        make_private_folder(self._folder)
        document = {"diff_id": str(packed.diff_id), "size_bytes": packed.size_bytes, "entry_count": packed.entry_count}
        write_json(self._path(key), document, durable=False)

    def _path(self, key: str) -> str:
        return os.path.join(self._folder, f"{key}.json")


def known_systems(cache_dir: str) -> KnownLayers:
    """Layers of whole systems, by the key of their lock."""
    return KnownLayers(cache_dir, "systems")
