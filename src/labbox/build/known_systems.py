"""Which layer a lock gave before, so that the same lock is not assembled twice on one machine."""

import os

from labbox.errors import UsageError
from labbox.files import make_private_folder, read_json, write_json
from labbox.lock.system import SystemLock
from labbox.oci.digest import Digest, parse_digest
from labbox.store.layers import LayerStore
from labbox.store.tar_writer import PackedTree


def find_known_layer(cache_dir: str, lock: SystemLock, layers: LayerStore) -> PackedTree | None:
    """The layer that this lock gave, when it is still unpacked in the store."""
    try:
        document = read_json(_path(cache_dir, lock))
        diff_id: Digest = parse_digest(document["diff_id"])
        packed = PackedTree(diff_id, int(document["size_bytes"]), int(document["entry_count"]))
    except (OSError, ValueError, KeyError, TypeError, UsageError):  # not known, or a damaged note: assembled again
        return None
    return packed if layers.has(diff_id) else None


def remember_layer(cache_dir: str, lock: SystemLock, packed: PackedTree) -> None:
    """Note the layer that a lock gave."""
    path = _path(cache_dir, lock)
    make_private_folder(os.path.dirname(path))
    document = {"diff_id": str(packed.diff_id), "size_bytes": packed.size_bytes, "entry_count": packed.entry_count}
    write_json(path, document, durable=False)


def _path(cache_dir: str, lock: SystemLock) -> str:
    return os.path.join(cache_dir, "debian", "systems", f"{lock.key()}.json")
