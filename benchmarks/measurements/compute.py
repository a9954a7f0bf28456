"""That work inside costs what it costs on the host: the same interpreter, the same loop, timed by itself."""

from collections.abc import Iterator
from functools import partial

from benchmarks.figures import Budget, Figure, sample
from benchmarks.programs import Engine, alternate, call
from benchmarks.workbench import HOST_MOUNTS, IMAGE, Workbench, host_python_missing, inside, on_host

_WORK = (
    ("numbers", "a numeric loop inside, to the host", Budget(lowest=0.98, highest=1.02), ""),
    (
        "calls",
        "system calls inside, to the host",
        None,
        "system calls: two million getppid(2), each through docker's seccomp filter",
    ),
)


def measure(bench: Workbench) -> Iterator[Figure]:
    missing = host_python_missing()
    if missing:
        raise RuntimeError(missing)
    for kind, what, budget, remark in _WORK:
        places = [partial(_on_host, kind), *(partial(_inside, kind, engine) for engine in bench.engines)]
        host, *engines = alternate(places, bench.repetitions(11, 3))
        ratios = [
            sample([there / here for there, here in zip(engine.values, host.values, strict=True)]) for engine in engines
        ]
        yield Figure(
            what=what,
            unit="x host",
            ours=ratios[0],
            peer_name="docker",
            peer=ratios[1] if bench.docker else None,
            budget=budget,
            remark=remark or bench.docker_remark,
        )


def _on_host(kind: str) -> float:
    return float(call(on_host("workload.py", kind)))


def _inside(kind: str, engine: Engine) -> float:
    return float(engine.call("run", "--rm", *HOST_MOUNTS, IMAGE, *inside("workload.py", kind)))
