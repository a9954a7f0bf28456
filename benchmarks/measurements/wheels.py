"""Wheels made layers: TensorFlow with what JupyterLab and TensorBoard need, beside `uv pip install --target`.

Both start with the wheels' files on this disk. labbox leaves unpacked layers with their digests, uncompressed and
compressed; uv leaves two folders and no digest. Nothing is compiled.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

from benchmarks.figures import Budget, Figure, sample
from benchmarks.programs import ROOT, alternate, call, clean_environment, seconds_of
from benchmarks.workbench import Workbench

_SETS = {
    "packages": ("tensorflow-cpu==2.21.*", "matplotlib", "pip", "ipykernel"),
    "services": ("jupyterlab", "jupyter-server-proxy", "tensorboard"),
}
_PYTHON = "3.13"
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64", "manylinux2010_x86_64")


def measure(bench: Workbench) -> Iterator[Figure]:
    folder = os.path.join(bench.folder, "wheels")
    for name, wanted in _SETS.items():
        _download(os.path.join(folder, name), wanted)
    uv = _find_uv()
    makers = [partial(_layers_cold, bench, folder)]
    if uv is not None:
        makers.append(partial(_uv, uv, bench, folder))
    cold, *peers = alternate(makers, bench.repetitions(5, 1), warm_ups=0)
    document = _layers(bench, folder)
    label = (
        f"{document['wheels']} wheels ({document['bytes'] / 1e6:.0f} MB) to {document['layers']} layers with digests"
    )
    yield Figure(
        what=label,
        unit="s",
        ours=cold,
        peer_name="uv pip install",
        peer=peers[0] if peers else None,
        budget=Budget(highest=8),
        remark="" if uv is not None else "uv is missing: it is not installed",
    )
    warm = [float(_layers(bench, folder)["seconds"]) for _ in range(bench.repetitions(9, 2))]
    yield Figure(what=f"{label}, again", unit="s", ours=sample(warm), budget=Budget(highest=0.5))


def _layers_cold(bench: Workbench, folder: str) -> float:
    bench.new_labbox("wheel-home")
    return float(_layers(bench, folder)["seconds"])


def _layers(bench: Workbench, folder: str) -> dict[str, float]:
    script = os.path.join(ROOT, "benchmarks", "wheel_set.py")
    home = os.path.join(bench.folder, "wheel-home")
    environment = {**bench.labbox.environment, "LABBOX_HOME": home}
    document: dict[str, float] = json.loads(call([bench.labbox_python, script, folder], environment=environment))
    return document


def _uv(uv: str, bench: Workbench, folder: str) -> float:
    """With an empty cache, into two empty folders: uv unpacks into its cache and links from there."""
    cache, target = os.path.join(bench.folder, "uv-cache"), os.path.join(bench.folder, "uv-target")
    elapsed = 0.0
    for name in _SETS:
        wheels = sorted(os.path.join(folder, name, file) for file in os.listdir(os.path.join(folder, name)))
        command = [
            uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python-version", _PYTHON, "--python",
            sys.executable, "--python-platform", "x86_64-manylinux_2_28", "--target", os.path.join(target, name),
            *wheels,
        ]  # fmt: skip
        elapsed += seconds_of(command, environment={**clean_environment(), "UV_CACHE_DIR": cache})
    shutil.rmtree(cache)
    shutil.rmtree(target)
    return elapsed


def _download(folder: str, wanted: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", folder, "--only-binary", ":all:"]
    platforms = [word for platform in _PLATFORMS for word in ("--platform", platform)]
    call([*command, "--python-version", _PYTHON, *platforms, *wanted], environment=clean_environment())


def _find_uv() -> str | None:
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    found = beside if os.path.exists(beside) else shutil.which("uv")
    if found is None or subprocess.run([found, "--version"], check=False, capture_output=True).returncode != 0:
        return None
    return found
