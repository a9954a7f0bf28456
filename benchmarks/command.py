"""The command line: which measurements to take, how carefully, and in which form to print them."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import FrameType

from benchmarks.figures import Figure
from benchmarks.measurements import (
    archives,
    compute,
    labs,
    many,
    memory,
    ports,
    registry,
    start,
    system,
    training,
    wheels,
)
from benchmarks.table import render_json, render_table
from benchmarks.workbench import Workbench, open_workbench, read_conditions

MEASUREMENTS: dict[str, Callable[[Workbench], Iterator[Figure]]] = {
    "start": start.measure,
    "many": many.measure,
    "memory": memory.measure,
    "ports": ports.measure,
    "compute": compute.measure,
    "system": system.measure,
    "wheels": wheels.measure,
    "archives": archives.measure,
    "registry": registry.measure,
    "labs": labs.measure,
    "training": training.measure,
}
_WITHOUT_DOCKER = {"system", "wheels", "labs", "training"}  # `labs` starts one of its own


def main(arguments: Sequence[str]) -> int:
    """Measure and print; the exit code is 1 when something could not be measured or a budget is not kept."""
    options = _parse(arguments)
    names = options.names or list(MEASUREMENTS)
    wants_docker = not _WITHOUT_DOCKER.issuperset(names)
    signal.signal(signal.SIGTERM, _end)  # what was started is ended, and the folder removed
    try:
        with open_workbench(options.folder, wants_docker=wants_docker, is_quick=options.quick) as bench:
            conditions = read_conditions(bench)
            figures, failures = _take(bench, names)
    except RuntimeError as error:
        _say(f"nothing can be measured: {error}")
        return 1
    conditions["load after"] = f"{os.getloadavg()[0]:.1f}"
    if options.json:
        print(render_json(conditions, figures))
    else:
        print(", ".join(f"{name}: {value}" for name, value in conditions.items()), render_table(figures), sep="\n\n")
    for failure in failures:
        _say(f"not measured: {failure}")
    return 1 if failures or any(figure.is_within_budget is False for figure in figures) else 0


def _take(bench: Workbench, names: Iterable[str]) -> tuple[list[Figure], list[str]]:
    figures: list[Figure] = []
    failures: list[str] = []
    for name in names:
        _say(f"measuring {name} …")
        try:
            for figure in MEASUREMENTS[name](bench):
                figures.append(figure)
                _say(render_table([figure]).splitlines()[2])
        except (RuntimeError, OSError) as error:  # one that cannot be taken here does not hold up the others
            failures.append(f"{name}: {error}")
    return figures, failures


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)}; all without one")
    parser.add_argument("--quick", action="store_true", help="few repetitions: to see that it works, not to quote")
    parser.add_argument("--json", action="store_true", help="print every repetition as JSON")
    parser.add_argument("--folder", default="/var/tmp", help="where the engines keep their data (default: /var/tmp)")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"unknown measurement {', '.join(sorted(unknown))}; there are {', '.join(MEASUREMENTS)}")
    return options


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
