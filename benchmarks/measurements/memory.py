"""The memory of what an engine keeps running for an idle container: everything but the container's own command.

PSS shares out a page among the processes that hold it (proc_pid_smaps_rollup(5)); RSS counts it in each of them.
"""

import os
from collections.abc import Iterable, Iterator

from benchmarks.figures import Budget, Figure, Sample, sample
from benchmarks.programs import Engine
from benchmarks.workbench import IMAGE, Workbench

_COUNT = 5  # containers at once: what they share is shared in real life, too
_KINDS = (("without a port", ()), ("with a published port", ("-p", "127.0.0.1::7000")))


def measure(bench: Workbench) -> Iterator[Figure]:
    for kind, flags in _KINDS:
        ours = _measure_helpers(bench.labbox, flags)
        peer = _measure_helpers(bench.docker, flags) if bench.docker else None
        for index, quantity in enumerate(("PSS", "RSS")):
            yield Figure(
                what=f"{quantity} of the helpers of an idle container {kind}",
                unit="MB",
                ours=ours[index],
                peer_name="docker",
                peer=peer[index] if peer else None,
                budget=Budget(highest=25) if quantity == "PSS" else None,
                remark=bench.docker_remark
                or "helpers are, for docker, containerd-shim and docker-proxy; its daemons are not counted",
            )
    if bench.docker is not None and bench.docker.network_of is not None:
        daemons = [bench.docker.network_of, *_children_named(bench.docker.network_of, "containerd")]
        yield Figure(
            what="PSS of daemons, whatever runs",
            unit="MB",
            ours=sample([0.0]),
            peer_name="docker",
            peer=sample([sum(_read_megabytes(pid)[0] for pid in daemons)]),
        )


def _measure_helpers(engine: Engine, flags: tuple[str, ...]) -> tuple[Sample, Sample]:
    """PSS and RSS per container, in MB."""
    ids = [engine.call("run", "-d", *flags, IMAGE, "sleep", "3600") for _ in range(_COUNT)]
    try:
        firsts = [int(engine.call("inspect", "--format", "{{.State.Pid}}", name)) for name in ids]
        sizes = [[_read_megabytes(pid) for pid in _helpers_of(engine, first)] for first in firsts]
        proxies = [] if engine.network_of is None else _children_named(engine.network_of, "docker-proxy")
        shared = [_read_megabytes(pid) for pid in proxies]
    finally:
        engine.call("rm", "-f", *ids)
    return tuple(  # type: ignore[return-value]
        sample([sum(s[kind] for s in of_one) + sum(s[kind] for s in shared) / _COUNT for of_one in sizes])
        for kind in (0, 1)
    )


def _helpers_of(engine: Engine, first: int) -> list[int]:
    """The parent of a container's first process with all its descendants, less the container's own command."""
    parent = _parent_of(first)
    if engine.name == "docker":
        return [parent]
    command = set(_descendants(first)) - {first}
    return [pid for pid in (parent, *_descendants(parent)) if pid not in command]


def _descendants(pid: int) -> list[int]:
    children = [child for child in _all_processes() if _parent_of(child) == pid]
    return [each for child in children for each in (child, *_descendants(child))]


def _children_named(pid: int, name: str) -> list[int]:
    return [child for child in _descendants(pid) if _read(child, "comm").strip() == name]


def _all_processes() -> Iterable[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _parent_of(pid: int) -> int:
    text = _read(pid, "stat")
    return int(text.rpartition(")")[2].split()[1]) if text else 0


def _read_megabytes(pid: int) -> tuple[float, float]:
    sizes = {name: int(rest.split()[0]) for name, _, rest in _fields(_read(pid, "smaps_rollup")) if rest}
    return sizes["Pss"] / 1024, sizes["Rss"] / 1024


def _fields(text: str) -> Iterator[tuple[str, str, str]]:
    return (line.partition(":") for line in text.splitlines()[1:])


def _read(pid: int, name: str) -> str:
    try:
        with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""
