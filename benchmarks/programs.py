"""Running programs: the one measured, and those that help."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.figures import Sample, sample

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_LIMIT_SECONDS = 1800  # docker's builds download, too


def clean_environment() -> dict[str, str]:
    """The environment without what changes how Python starts (such as PYTHONDONTWRITEBYTECODE)."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LABBOX_", "DOCKER_"))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A command that understands docker's verbs.

    `network_of` is a process in whose network the engine's host side lives, when that is not ours.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=clean_environment)
    network_of: int | None = None

    def call(self, *arguments: str) -> str:
        """Run a verb that must succeed; what it printed."""
        return call([*self.command, *arguments], environment=self.environment)

    def seconds(self, *arguments: str) -> float:
        """How long a verb takes that must succeed."""
        return seconds_of([*self.command, *arguments], environment=self.environment)

    def beside(self, command: Sequence[str]) -> list[str]:
        """The command line that runs a program of the host where this engine's published ports listen."""
        if self.network_of is None:
            return list(command)
        return [*in_network_of(self.network_of), *command]


def in_network_of(pid: int | None) -> list[str]:
    """The start of a command line that runs in the network of a process, in a new one for None."""
    return [sys.executable, os.path.join(ROOT, "benchmarks", "in_network.py"), str(pid or "new")]


def call(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> str:
    """What a program prints; RuntimeError with its complaint when it fails."""
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment,
        timeout=_LIMIT_SECONDS,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"`{' '.join(command)}` ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()


def seconds_of(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> float:
    """How long a program runs, from the start of its process to the end; RuntimeError when it fails."""
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    ) as done:
        # Not `timeout`: with one, `subprocess` looks every 50 ms whether the program has ended.
        guard = threading.Timer(_LIMIT_SECONDS, done.kill)
        guard.start()
        done.wait()
        guard.cancel()
    elapsed = time.perf_counter() - start
    if done.returncode != 0:
        call(command, environment=environment)  # for its complaint
        raise RuntimeError(f"`{' '.join(command)}` ended with {done.returncode} once, and not again")
    return elapsed


def alternate(
    measurements: Sequence[Callable[[], float]], repetitions: int, *, warm_ups: int = 1, scale: float = 1.0
) -> list[Sample]:
    """One sample per measurement, taken in turns: A B, B A, A B, … after warm-ups that do not count."""
    values: list[list[float]] = [[] for _ in measurements]
    for turn in range(warm_ups + repetitions):
        order = range(len(measurements))
        for index in order if turn % 2 == 0 else reversed(order):
            value = measurements[index]() * scale
            if turn >= warm_ups:
                values[index].append(value)
    return [sample(series) for series in values]
