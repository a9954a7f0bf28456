"""How long a layer of a few more packages takes: `five_packages.py LOCK IMAGE REPETITIONS`, in labbox's own Python.

Prints JSON: the packages asked for, how many they are with what they need, the seconds of each repetition.
"""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from labbox.build.system_addition import add_packages
from labbox.engine.embedded.modes import choose_identity
from labbox.linux.idmap import Identity
from labbox.lock.fetch_system import fetch_system
from labbox.lock.resolve_system import lock_addition
from labbox.lock.system import LockedDeb, SystemLock, read_system_lock
from labbox.oci.digest import Digest
from labbox.packages.debian.archive import open_archive
from labbox.packages.debian.releases import find_release
from labbox.settings import load_settings
from labbox.store.images import ImageStore
from labbox.store.layers import LayerStore

_WANTED = ("jq", "tree", "fonts-liberation")


def main(lock_path: str, image_name: str, repetitions: int) -> None:
    settings = load_settings(os.environ)
    base = read_system_lock(lock_path)
    identity = choose_identity(settings.runtime_dir, wanted=os.environ.get("LABBOX_MODE"))
    layers = LayerStore(settings.store_dir, identity)
    with open_archive(settings.cache_dir, os.environ, {}) as archive:
        suites = archive.reader().read_release(find_release(base.release), base.architecture)
        debs = lock_addition(base, [suite.index for suite in suites], _WANTED)
        fetched = fetch_system(replace(base, debs=debs), archive)
    files = {sha256: file.path for sha256, file in fetched.items()}
    below = ImageStore(settings.store_dir).resolve(image_name).diff_ids
    seconds = [_add(base, debs, files, below, layers, identity) for _ in range(1 + repetitions)]
    print(json.dumps({"wanted": _WANTED, "packages": len(debs), "seconds": seconds[1:]}))


def _add(
    base: SystemLock,
    debs: tuple[LockedDeb, ...],
    files: Mapping[str, str],
    below: Sequence[Digest],
    layers: LayerStore,
    identity: Identity,
) -> float:
    """Seconds for one layer, which is removed again."""
    start = time.perf_counter()
    with layers.creating():
        packed = add_packages(
            debs, files, below, architecture=base.architecture, epoch=base.epoch, layers=layers, identity=identity,
            report=lambda _stage, _done, _total: None,
        )  # fmt: skip
    elapsed = time.perf_counter() - start
    layers.remove(packed.diff_id)
    return elapsed


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
