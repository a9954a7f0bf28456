"""What `run` needs of the store: an image by its name and the folders of its layers, at once."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labbox.linux.idmap import root_identity
from labbox.store.images import ImageStore
from labbox.store.layers import LayerStore
from store.sample import make_image

HEAVY = (
    "argparse", "asyncio", "concurrent", "ctypes", "dataclasses", "hashlib", "inspect", "logging", "lzma", "pathlib",
    "pickle", "resource", "shutil", "subprocess", "tarfile", "tempfile", "threading", "urllib", "zlib",
    "labbox.store.extract", "labbox.store.pack", "labbox.oci.tar_reader", "labbox.oci.canonical_tar",
    "labbox.oci.manifest",
)  # fmt: skip

PROGRAM = """
import sys, time
import json, contextlib, collections.abc, fcntl  # what the command line has loaded before
class Identity:
    mode = "root"
start = time.perf_counter()
from labbox.store.images import ImageStore
from labbox.store.layers import LayerStore
imported = time.perf_counter()
store = sys.argv[1]
image = ImageStore(store).resolve("lab")
layers = LayerStore(store, Identity())
folders = [layers.directory(diff_id) for diff_id in image.diff_ids]
done = time.perf_counter()
print(json.dumps([imported - start, done - imported, sorted(sys.modules), folders]))
"""


@pytest.fixture
def store(tmp_path: Path) -> Any:
    layers, images = LayerStore(str(tmp_path), root_identity()), ImageStore(str(tmp_path))
    make_image(layers, images, "lab")
    for number in range(30):
        make_image(layers, images, f"other{number}:x", content=str(number))
    return str(tmp_path)


def measure(store: Any) -> Any:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONPYCACHEPREFIX": f"{store}/pycache"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    run = subprocess.run(
        [sys.executable, "-S", "-c", PROGRAM, store], check=True, capture_output=True, text=True, env=environment
    )
    return json.loads(run.stdout)


def test_finding_an_image_loads_nothing_heavy(store: Any) -> None:
    _, _, modules, folders = measure(store)
    assert len(folders) == 1
    assert [name for name in HEAVY if name in modules] == []


def test_finding_an_image_takes_a_few_milliseconds(store: Any) -> None:
    measured = [measure(store)[:2] for _ in range(5)]
    imports, work = (min(values) for values in zip(*measured, strict=True))
    assert work < 0.005, f"{work * 1000:.1f} ms"
    assert imports < 0.020, f"{imports * 1000:.1f} ms"
