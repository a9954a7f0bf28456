"""Labs with TensorFlow, JupyterLab and TensorBoard: made from nothing, started again, changed, made a second time.

The peers are docker (a Dockerfile with the lock's packages by apt, venv and pip) and `uv pip install` on the bare
host. labbox's times end when TensorBoard answers, too, where nothing else is said; docker runs JupyterLab alone.
"""

import os
import shutil
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack

from benchmarks.docker_engine import running_docker, why_no_docker
from benchmarks.docker_lab import DockerLab, make_docker_lab, pins
from benchmarks.figures import Budget, Figure, Sample, sample
from benchmarks.lab import SERVICES_PYTHON, Lab, copy_lab, disk_bytes, new_lab
from benchmarks.labbox_installed import install_dependencies
from benchmarks.programs import clean_environment, seconds_of
from benchmarks.workbench import Workbench

_EXAMPLE = "tensorflow"
_PORT = "18888"  # inside the lab: free there
_ADDED = ("tabulate", "humanize", "xmltodict")  # of Python alone, one wheel each, nothing of TensorFlow's
_ADDED_TO_SECOND = "networkx"
_COLD_REMARK = (
    "cold: no package, index or uv cache; labbox also chooses the versions and assembles Debian, while docker is given"
    " the versions and has its base image; uv links the same wheels into two folders, without Debian, without bytecode,"
    " and starts nothing; files that were just written are in the page cache for all of them"
)
_WARM_REMARK = "JupyterLab itself: the lab's own command, run once more in the lab at another port, from exec to answer"
_ADD_REMARK = "docker: its cache has all but the layer of the lab's packages; pip downloads that again"


def measure(bench: Workbench) -> Iterator[Figure]:
    venv = os.path.join(bench.folder, "venv")
    install_dependencies(venv)
    missing = why_no_docker()
    with ExitStack() as stack:
        folder = os.path.join(bench.folder, "docker-of-labs")
        docker = None if missing else stack.enter_context(running_docker(folder, in_host_network=True))
        lab, ours = _up_cold(bench)
        peer = None if docker is None else make_docker_lab(bench, docker, os.path.join(folder, "data"), lab)
        yield _cold_figure(ours, _build_cold(peer), missing)
        yield _uv_figure(ours, bench, lab)
        itself = yield from _measure_warm(bench, lab, peer, missing)
        yield from _measure_add(bench, lab, peer, itself, missing)


def _up_cold(bench: Workbench) -> tuple[Lab, Sample]:
    """The lab, which stays, and how long it took each time."""
    seconds = []
    for _ in range(bench.repetitions(2, 1)):
        lab = new_lab(bench, "labs", _EXAMPLE)
        seconds.append(lab.up())
    return lab, sample(seconds)


def _build_cold(peer: DockerLab | None) -> Sample | None:
    return None if peer is None else sample([peer.build() + peer.start()])


def _cold_figure(ours: Sample, docker: Sample | None, missing: str) -> Figure:
    return Figure(
        what="up of examples/tensorflow, everything cold, until its services answer",
        unit="s",
        ours=ours,
        peer_name="docker build and run",
        peer=docker,
        budget=None if docker is None else Budget(highest=round(docker.median / 3, 1)),
        remark=f"docker is {missing}" if missing else _COLD_REMARK,
    )


def _uv_figure(ours: Sample, bench: Workbench, lab: Lab) -> Figure:
    """The wheels alone, by uv, with an empty cache, for the lab's version of Python."""
    lock = lab.lock()
    folder = os.path.join(bench.folder, "uv")
    elapsed = 0.0
    for name, wheels in (("env", lock.packages), ("services", lock.services)):
        command = [
            os.path.join(bench.folder, "venv", "bin", "uv"), "pip", "install", "--quiet", "--python",
            bench.labbox_python, "--python-version", lock.interpreter.language, "--python-platform",
            "x86_64-manylinux_2_40", "--target", os.path.join(folder, name), *pins(wheels),
        ]  # fmt: skip
        environment = {**clean_environment(), "UV_CACHE_DIR": os.path.join(folder, "cache")}
        elapsed += seconds_of(command, environment=environment)
    shutil.rmtree(folder)
    return Figure(
        what="the same up, beside the download and installation of its wheels alone",
        unit="s",
        ours=ours,
        peer_name="uv pip install",
        peer=sample([elapsed]),
        remark=_COLD_REMARK,
    )


def _measure_warm(bench: Workbench, lab: Lab, peer: DockerLab | None, missing: str) -> Generator[Figure, None, float]:
    """Figures of a second start; returns the seconds that JupyterLab itself takes."""
    address = lab.address()
    jupyter: list[float] = []
    whole: list[float] = []
    own: list[float] = []
    plain: list[float] = []
    docker: list[float] = []
    for turn in range(1 + bench.repetitions(7, 2)):
        lab.stop()
        answered, ended = lab.up_until_jupyter(address)
        itself = _jupyter_alone(lab, "service")
        if turn == 0:  # a warm-up
            continue
        jupyter.append(answered)
        whole.append(ended)
        own.append(itself)
        plain.append(_jupyter_alone(lab, "plain"))
        docker += [] if peer is None else [peer.start_again()]
    what = "up of a stopped lab, until JupyterLab answers"
    itself_sample = sample(own)
    yield _warm_figure(what, sample(jupyter), "docker start", sample(docker) if docker else None, missing)
    yield _warm_figure(f"{what}: beyond JupyterLab itself", _differences(jupyter, own), "", None, "", budget=0.3)
    yield _warm_figure("up of a stopped lab, until it returns (TensorBoard answers)", sample(whole), "", None, "")
    yield _warm_figure("JupyterLab itself, as the lab starts it", itself_sample, "jupyter-lab", sample(plain), "")
    return itself_sample.median


def _warm_figure(
    what: str, ours: Sample, peer_name: str, peer: Sample | None, missing: str, *, budget: float | None = None
) -> Figure:
    return Figure(
        what=what,
        unit="s",
        ours=ours,
        peer_name=peer_name,
        peer=peer,
        budget=None if budget is None else Budget(highest=budget),
        remark=f"docker is {missing}" if missing else _WARM_REMARK,
    )


def _jupyter_alone(lab: Lab, kind: str) -> float:
    return float(lab.run_script("jupyter_start.py", SERVICES_PYTHON, kind, _PORT))


def _differences(values: Sequence[float], others: Sequence[float]) -> Sample:
    return sample([value - other for value, other in zip(values, others, strict=True)])


def _measure_add(bench: Workbench, lab: Lab, peer: DockerLab | None, itself: float, missing: str) -> Iterator[Figure]:
    address = lab.address()
    added, answered = [], []
    for name in _ADDED[: bench.repetitions(len(_ADDED), 1)]:
        added.append(lab.add(name))
        answered.append(lab.up_until_jupyter(address)[0])
    both = [one + other for one, other in zip(added, answered, strict=True)]
    docker, docker_share = (None, None) if peer is None else _rebuild(peer, lab)
    yield Figure(
        what="add of a package of Python alone to a running lab, and up, until JupyterLab answers",
        unit="s",
        ours=sample(both),
        peer_name="docker build and run",
        peer=docker,
        remark=f"docker is {missing}" if missing else _ADD_REMARK,
    )
    beyond = sample([value - itself for value in both])
    yield Figure(what="the same, beyond JupyterLab itself", unit="s", ours=beyond, budget=Budget(highest=3))
    yield Figure(what="the part of it that `add` takes (which locks)", unit="s", ours=sample(added))
    yield _second_figure(lab, docker_share, missing)


def _rebuild(peer: DockerLab, lab: Lab) -> tuple[Sample, Sample]:
    """Seconds of docker's build and run with one more package, and how much more disk docker takes then, in %."""
    before = peer.disk_bytes()
    peer.write_packages([*pins(lab.lock().packages), _ADDED_TO_SECOND])
    seconds = peer.build() + peer.start()
    return sample([seconds]), sample([100 * (peer.disk_bytes() - before) / before])


def _second_figure(lab: Lab, docker: Sample | None, missing: str) -> Figure:
    """A lab with the same packages and one more, up beside the first."""
    before, downloads = disk_bytes(lab.store), disk_bytes(lab.cache)
    second = copy_lab(lab)
    second.add(_ADDED_TO_SECOND)
    second.up()
    more, fetched = disk_bytes(lab.store) - before, disk_bytes(lab.cache) - downloads
    return Figure(
        what=f"extra disk of a second lab, with {_ADDED_TO_SECOND} besides, while the first stays",
        unit="%",
        ours=sample([100 * more / before]),
        peer_name="docker",
        peer=docker,
        budget=Budget(highest=5),
        remark=f"docker is {missing}"
        if missing
        else f"disk: labbox's store, {before / 1e6:.0f} MB and {more / 1e6:.1f} MB more (its cache of downloads grew by"
        f" {fetched / 1e6:.1f} MB); docker: its whole data folder, with the first lab's image and one of the same and"
        f" {_ADDED_TO_SECOND}",
    )
