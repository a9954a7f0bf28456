"""A hundred containers: started one after the other, listed, removed."""

import time
from collections.abc import Iterator
from functools import partial

from benchmarks.figures import Budget, Figure, Sample, sample
from benchmarks.programs import Engine, alternate
from benchmarks.workbench import IMAGE, Workbench


def measure(bench: Workbench) -> Iterator[Figure]:
    count = bench.repetitions(100, 10)
    is_whole = count == 100
    started = [_Starter(engine) for engine in bench.engines]
    for turn in range(count):
        for starter in started if turn % 2 == 0 else reversed(started):
            starter.start()
    yield _figure(
        bench,
        f"{count} containers started, one after the other",
        "s",
        [sample([starter.seconds]) for starter in started],
        Budget(highest=10) if is_whole else None,
    )
    listings = alternate([partial(engine.seconds, "ps") for engine in bench.engines], bench.repetitions(10, 3))
    yield _figure(bench, f"ps with {count} running", "s", listings, Budget(highest=0.3) if is_whole else None)
    removals = [sample([_remove(starter)]) for starter in started]
    yield _figure(bench, f"rm -f of {count} running", "s", removals, None)


class _Starter:
    """Starts containers in one engine and adds up how long that takes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.seconds = 0.0
        self.ids: list[str] = []
        engine.call("run", "--rm", IMAGE, "true")  # warm-up

    def start(self) -> None:
        start = time.perf_counter()
        self.ids.append(self.engine.call("run", "-d", IMAGE, "sleep", "3600"))
        self.seconds += time.perf_counter() - start


def _remove(starter: _Starter) -> float:
    return starter.engine.seconds("rm", "-f", *starter.ids)


def _figure(bench: Workbench, what: str, unit: str, samples: list[Sample], budget: Budget | None) -> Figure:
    return Figure(
        what=what,
        unit=unit,
        ours=samples[0],
        peer_name="docker",
        peer=samples[1] if bench.docker else None,
        budget=budget,
        remark=bench.docker_remark,
    )
