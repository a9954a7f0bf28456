"""Images on their way out of a machine and into it: `save` to a file, `load` from it."""

import io
import os
import random
import tarfile
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.figures import Figure
from benchmarks.programs import Engine, alternate
from benchmarks.workbench import Workbench

_NAME = "bench-archive"
_LARGE_FILES = 8
_LARGE_BYTES = 16 << 20
_SMALL_FILES = 3000
_SMALL_BYTES = 8 << 10


def measure(bench: Workbench) -> Iterator[Figure]:
    source = os.path.join(bench.folder, "large.tar")
    _write_tree(source)
    for engine in bench.engines:
        engine.call("import", source, _NAME)
    repetitions = bench.repetitions(7, 2)
    size = f"{os.path.getsize(source) / 1e6:.0f} MB in {_LARGE_FILES + _SMALL_FILES} files"
    yield _compare(bench, f"save -o FILE, {size}", _save, repetitions)
    yield _compare(bench, f"load -i FILE, {size}", _load, repetitions)
    for engine in bench.engines:
        engine.call("rmi", _NAME)


def _compare(bench: Workbench, what: str, action: Callable[[Workbench, Engine], float], repetitions: int) -> Figure:
    samples = alternate([partial(action, bench, engine) for engine in bench.engines], repetitions)
    return Figure(
        what=what,
        unit="s",
        ours=samples[0],
        peer_name="docker",
        peer=samples[1] if bench.docker else None,
        remark=bench.docker_remark,
    )


def _save(bench: Workbench, engine: Engine) -> float:
    path = _archive_of(bench, engine)
    if os.path.exists(path):
        os.unlink(path)
    return engine.seconds("save", "-o", path, _NAME)


def _load(bench: Workbench, engine: Engine) -> float:
    """From an archive of its own, into an engine that has no layer of it."""
    engine.call("rmi", _NAME)
    return engine.seconds("load", "-q", "-i", _archive_of(bench, engine))


def _archive_of(bench: Workbench, engine: Engine) -> str:
    return os.path.join(bench.folder, f"saved-by-{engine.name}.tar")


def _write_tree(path: str) -> None:
    """A root file system of files that no compressor and no file system makes smaller; the same in every run."""
    numbers = random.Random(0)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for kind, count, size in (("large", _LARGE_FILES, _LARGE_BYTES), ("small", _SMALL_FILES, _SMALL_BYTES)):
            for number in range(count):
                entry = tarfile.TarInfo(f"{kind}/{number % 50}/{number}")
                entry.size = size
                archive.addfile(entry, io.BytesIO(numbers.randbytes(size)))
