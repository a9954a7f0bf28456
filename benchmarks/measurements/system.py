"""Debian systems made from the archive, beside mmdebstrap, and a layer of more packages on one.

Both get the same release, the same packages without Recommends and the same mirror. labbox leaves an unpacked,
configured, reproducible layer whose tar digest it has computed; mmdebstrap leaves a tar. mmdebstrap keeps no packages,
so the figures with packages in labbox's cache stand beside the same peer.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from functools import partial

from benchmarks.figures import Budget, Figure, Sample, sample
from benchmarks.programs import ROOT, Engine, alternate, call, clean_environment, seconds_of
from benchmarks.workbench import Workbench
from labbox.packages.debian.mirrors import DEBIAN, SECURITY, find_mirrors

_CODENAME = "trixie"
# Python, an ssh server, a desktop and what OpenCV's windows need: 282 packages with what they depend on.
_LAB_PACKAGES = (
    "ca-certificates", "python3", "python3-venv", "git", "openssh-server", "xauth", "tigervnc-standalone-server",
    "openbox", "libgl1", "libglib2.0-0t64", "fonts-dejavu-core", "sudo", "less", "nano",
)  # fmt: skip
_SETS: tuple[tuple[str, tuple[str, ...], float], ...] = (("minbase", (), 5), ("the lab's set", _LAB_PACKAGES, 20))
_CACHE = os.path.join("data", "cache")
_CACHED = ("debs", os.path.join("debian", "indexes"))


def measure(bench: Workbench) -> Iterator[Figure]:
    repetitions = bench.repetitions(3, 1)
    missing = _why_no_peer()
    for name, packages, budget_seconds in _SETS:
        makers = [partial(_bootstrap_cold, bench, packages)]
        if not missing:
            makers.append(partial(_mmdebstrap, bench, packages))
        cold, *peers = alternate(makers, repetitions, warm_ups=0)
        peer = peers[0] if peers else None
        count = _count_packages(bench, packages)
        label = f"bootstrap debian:13, {name} ({count} packages)"
        budget = Budget(highest=budget_seconds)
        yield _figure(f"{label}, nothing cached", cold, peer, budget, missing)
        warm = [_bootstrap(_with_cache(bench, "cold", "warm"), packages) for _ in range(repetitions)]
        yield _figure(f"{label}, packages cached", sample(warm), peer, budget, missing)
    yield from _measure_layer(bench)


def _measure_layer(bench: Workbench) -> Iterator[Figure]:
    """On the last system measured; its packages are in the home `cold`."""
    engine = _with_cache(bench, "cold", "layer")
    lock = os.path.join(bench.folder, "layer.lock")
    engine.call("bootstrap", "debian:13", "--include", ",".join(_LAB_PACKAGES), "--lock", lock, "-q", "-t", "layered")
    script = os.path.join(ROOT, "benchmarks", "five_packages.py")
    repetitions = str(bench.repetitions(7, 2))
    text = call([bench.labbox_python, script, lock, "layered", repetitions], environment=engine.environment)
    document = json.loads(text)
    yield Figure(
        what=f"a layer of {document['packages']} more packages ({', '.join(document['wanted'])})",
        unit="s",
        ours=sample(document["seconds"]),
        budget=Budget(highest=1),
        remark="from package files in the cache to a layer with its digest, in a process that runs already",
    )


def _bootstrap_cold(bench: Workbench, packages: Sequence[str]) -> float:
    return _bootstrap(bench.new_labbox("cold"), packages)


def _bootstrap(engine: Engine, packages: Sequence[str]) -> float:
    include = ("--include", ",".join(packages)) if packages else ()
    return engine.seconds("bootstrap", "debian:13", *include, "-q")


def _count_packages(bench: Workbench, packages: Sequence[str]) -> int:
    engine = _with_cache(bench, "cold", "count")
    include = ("--include", ",".join(packages)) if packages else ()
    document = json.loads(engine.call("bootstrap", "debian:13", *include, "--json"))
    return int(document["packages"])


def _with_cache(bench: Workbench, source: str, name: str) -> Engine:
    """labbox with no image, but with the indexes and packages that another home has fetched."""
    engine = bench.new_labbox(name)
    _copy_cache(os.path.join(bench.folder, source), engine.environment["LABBOX_HOME"])
    return engine


def _copy_cache(source: str, target: str) -> None:
    for part in _CACHED:
        old, new = os.path.join(source, _CACHE, part), os.path.join(target, _CACHE, part)
        os.makedirs(os.path.dirname(new), mode=0o700, exist_ok=True)
        shutil.copytree(old, new, copy_function=os.link)


def _why_no_peer() -> str:
    if shutil.which("mmdebstrap") is None:
        return "mmdebstrap is missing: it is not installed"
    return "" if os.geteuid() == 0 else "mmdebstrap is missing: as an ordinary user it needs another mode"


def _mmdebstrap(bench: Workbench, packages: Sequence[str]) -> float:
    target = os.path.join(bench.folder, "mmdebstrap.tar")
    include = [f"--include={','.join(packages)}"] if packages else []
    command = ["mmdebstrap", "--quiet", "--variant=minbase", *include, _CODENAME, target, *_mirror_lines()]
    try:
        return seconds_of(command, environment=clean_environment())
    finally:
        if os.path.exists(target):
            os.unlink(target)


def _mirror_lines() -> list[str]:
    """sources.list(5) lines for the mirrors that labbox uses first."""
    bases = find_mirrors(os.environ, {}).bases
    suites = ((DEBIAN, _CODENAME), (DEBIAN, f"{_CODENAME}-updates"), (SECURITY, f"{_CODENAME}-security"))
    return [f"deb {bases[archive][0]} {suite} main" for archive, suite in suites]


def _figure(what: str, ours: Sample, peer: Sample | None, budget: Budget, remark: str) -> Figure:
    return Figure(what=what, unit="s", ours=ours, peer_name="mmdebstrap", peer=peer, budget=budget, remark=remark)
