"""How much a container has written, and how large its image is."""

import os
import stat

from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.errors import LabboxError
from labbox.linux.idmap import run_mapped
from labbox.oci.digest import parse_digest
from labbox.store.layers import LayerStore


def container_sizes(engine: EmbeddedEngine, container: Container) -> tuple[int, int]:
    """Bytes in the container's writable layer, and bytes of the layers below it."""
    upper = container.folder.upper
    written = run_mapped(engine.identity, lambda: measure_tree(upper))
    layers = LayerStore(engine.settings.store_dir, engine.identity)
    below = 0
    for diff_id in container.spec.diff_ids:
        try:
            below += layers.record(parse_digest(diff_id)).tar_bytes
        except LabboxError:
            continue  # its layer is not unpacked any more: the size is what is left to count
    return written, below


def measure_tree(path: str) -> int:
    """The bytes of all files below a folder, 0 when there is none; each file once, however many names it has."""
    seen, total = set[tuple[int, int]](), 0
    if not os.path.isdir(path):
        return 0
    for folder, _, _, descriptor in os.fwalk(path, onerror=None):
        del folder
        with os.scandir(descriptor) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) and (status.st_dev, status.st_ino) not in seen:
                    seen.add((status.st_dev, status.st_ino))
                    total += status.st_size
    return total
