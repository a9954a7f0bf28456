"""How long it takes to start a command: in a new container, in a running one."""

from collections.abc import Iterator
from functools import partial

from benchmarks.figures import Budget, Figure
from benchmarks.programs import alternate
from benchmarks.workbench import IMAGE, Workbench

_NAME = "bench-exec"


def measure(bench: Workbench) -> Iterator[Figure]:
    repetitions = bench.repetitions(30, 5)
    yield _compare(bench, "run --rm IMAGE true", ("run", "--rm", IMAGE, "true"), Budget(highest=80), repetitions)
    no_network = ("run", "--rm", "--network", "none", IMAGE, "true")
    yield _compare(bench, "run --rm --network none IMAGE true", no_network, None, repetitions)
    for engine in bench.engines:
        engine.call("run", "-d", "--name", _NAME, IMAGE, "sleep", "3600")
    yield _compare(bench, "exec NAME true", ("exec", _NAME, "true"), Budget(highest=60), repetitions)
    for engine in bench.engines:
        engine.call("rm", "-f", _NAME)


def _compare(
    bench: Workbench, what: str, arguments: tuple[str, ...], budget: Budget | None, repetitions: int
) -> Figure:
    runs = [partial(engine.seconds, *arguments) for engine in bench.engines]
    samples = alternate(runs, repetitions, warm_ups=2, scale=1000)
    return Figure(
        what=what,
        unit="ms",
        ours=samples[0],
        peer_name="docker",
        peer=samples[1] if bench.docker else None,
        budget=budget,
        remark=bench.docker_remark,
    )
