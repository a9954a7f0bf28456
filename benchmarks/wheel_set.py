"""How long wheels take to become layers: `wheel_set.py WHEELS HOME`, in labbox's own Python.

Prints JSON: how many wheels, bytes and layers, and the seconds of one call, from the wheels' files (or from what was
remembered) to the digests of all layers.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator

from labbox.build.python.layer_plan import PlannedLayer, choose_threshold, plan_layers, plan_one_layer
from labbox.build.python.target import Target, environment_target, services_target
from labbox.build.python.wheel_layers import make_wheel_layers, missing_wheels
from labbox.build.python.wheel_name import parse_wheel_name
from labbox.engine.embedded.modes import choose_identity
from labbox.lock.lab import LockedWheel
from labbox.settings import load_settings
from labbox.store.layers import LayerStore

_LANGUAGE = "3.13"


def main(folder: str) -> None:
    settings = load_settings(os.environ)
    identity = choose_identity(settings.runtime_dir, wanted=os.environ.get("LABBOX_MODE"))
    layers = LayerStore(settings.store_dir, identity)
    trees = list(_plan(folder))
    files = {wheel.sha256: wheel.url for plan, _ in trees for layer in plan for wheel in layer.wheels}
    start = time.perf_counter()
    made = []
    for plan, target in trees:
        missing = {
            wheel.sha256: files[wheel.sha256] for wheel in missing_wheels(plan, target, layers, settings.cache_dir)
        }
        with layers.creating():
            made += make_wheel_layers(plan, missing, target, layers, settings.cache_dir, identity, _say_nothing)
    elapsed = time.perf_counter() - start
    print(json.dumps({
        "seconds": elapsed, "wheels": sum(len(layer.wheels) for plan, _ in trees for layer in plan),
        "layers": len(made), "bytes": sum(layer.descriptor.size_bytes for layer in made),
    }))  # fmt: skip


def _plan(folder: str) -> Iterator[tuple[list[PlannedLayer], Target]]:
    """The two trees of a lab; `folder` has one folder of wheels for each."""
    packages = _read_wheels(os.path.join(folder, "packages"))
    yield plan_one_layer(_read_wheels(os.path.join(folder, "services"))), services_target(_LANGUAGE)
    yield plan_layers(packages, choose_threshold(packages)), environment_target(_LANGUAGE)


def _read_wheels(folder: str) -> list[LockedWheel]:
    wheels = []
    for file_name in sorted(os.listdir(folder)):
        path, named = os.path.join(folder, file_name), parse_wheel_name(file_name)
        with open(path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = os.path.getsize(path)
        wheels.append(
            LockedWheel(
                name=named.name, version=named.version, file_name=file_name, url=path, size=size, sha256=sha256
            )
        )  # fmt: skip
    return wheels


def _say_nothing(_stage: str, _done: int, _total: int) -> None:
    pass


if __name__ == "__main__":
    main(sys.argv[1])
