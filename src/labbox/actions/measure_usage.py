"""`labbox stats`: what containers use at one moment, and what follows from two moments."""

import os
import time
from typing import NamedTuple

from labbox.actions.processes_of_container import describe_processes, network_bytes
from labbox.engine.embedded.limits import usage_of
from labbox.engine.embedded.records import Container


class Usage(NamedTuple):
    """What a container uses: processor seconds and bytes since its start, memory and processes now."""

    moment: float = 0.0
    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    memory_limit_bytes: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    processes: int = 0

    @property
    def memory_percent(self) -> float:
        """Memory in percent of the limit."""
        return 100.0 * self.memory_bytes / self.memory_limit_bytes if self.memory_limit_bytes else 0.0

    def cpu_percent_since(self, before: "Usage") -> float:
        """Processor time between two moments in percent of one processor."""
        elapsed = self.moment - before.moment
        return max(0.0, 100.0 * (self.cpu_seconds - before.cpu_seconds) / elapsed) if elapsed > 0 else 0.0


def measure_usage(container: Container) -> Usage:
    """What the container uses now; nothing when it does not run.

    With limits its control group counts; without, its processes are added up (then the processor time of processes
    that have ended is not known).
    """
    if not container.is_running or not container.state.pid:
        return Usage()
    processes = describe_processes(container)
    received, sent = network_bytes(container) if container.spec.network != "host" else (0, 0)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    usage = Usage(
        moment=time.monotonic(),
        cpu_seconds=sum(process.cpu_seconds for process in processes),
        memory_bytes=sum(process.memory_bytes for process in processes),
        memory_limit_bytes=container.spec.resources.memory_bytes or total,
        received_bytes=received,
        sent_bytes=sent,
        read_bytes=sum(process.read_bytes for process in processes),
        written_bytes=sum(process.written_bytes for process in processes),
        processes=len(processes),
    )
    counted = usage_of(container.spec.id, container.state.pid)
    if counted is None:
        return usage
    if counted.cpu_nanoseconds is not None:
        usage = usage._replace(cpu_seconds=counted.cpu_nanoseconds / 1e9)
    if counted.memory_bytes is not None:
        usage = usage._replace(memory_bytes=counted.memory_bytes)
    return usage
