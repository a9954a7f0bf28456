"""A container's limits on memory, processors and processes: enforced by the kernel, or refused with the reason."""

import os

from labbox.engine.specification import Resources
from labbox.errors import UnsupportedError, UsageError
from labbox.lightweight_typing import Any, Self
from labbox.linux import cgroups
from labbox.linux.cgroups import Group, NoGroupError, Usage

_SMALLEST_MEMORY = 6 * 1024 * 1024
_SMALLEST_CPUS = 0.01
_SMALLEST_SHARE = cgroups.Limits(memory_bytes=1 << 40, cpus=1.0, pids=1 << 20)


class ContainerLimits:
    """The groups that hold one container to its limits; made before it starts, removed after its end."""

    def __init__(self, groups: list[Group]) -> None:
        self._groups = groups
        self._seen_kills = 0

    @classmethod
    def from_document(cls, document: list[Any]) -> Self:
        """The limits that another process made."""
        return cls([Group(version, frozenset(controllers), path) for version, controllers, path in document])

    def to_document(self) -> list[Any]:
        """Plain values from which `from_document` makes them again."""
        return [(group.version, sorted(group.controllers), group.path) for group in self._groups]

    @property
    def join_files(self) -> list[str]:
        """The files a process writes its own number to, to be held to the limits with all that it starts."""
        return [os.path.join(group.path, "cgroup.procs") for group in self._groups]

    def was_out_of_memory(self) -> bool:
        """True when the kernel has killed a process of the container for memory since this was last asked."""
        kills = cgroups.count_oom_kills(self._groups)
        is_new, self._seen_kills = kills > self._seen_kills, kills
        return is_new

    def close(self) -> None:
        """Remove the groups."""
        cgroups.remove_groups(self._groups)


def make_limits(container_id: str, resources: Resources) -> ContainerLimits:
    """Make the control groups for a container; UnsupportedError with the reason and the fix where they are not ours."""
    _check(resources)
    wanted = cgroups.Limits(
        memory_bytes=resources.memory_bytes,
        memory_swap_bytes=resources.memory_swap_bytes,
        cpus=resources.cpus,
        pids=resources.pids,
    )
    try:
        return ContainerLimits(cgroups.make_groups(_name(container_id), wanted, cgroups.read_hierarchies()))
    except NoGroupError as error:
        flags = " ".join(_flags(resources))
        raise UnsupportedError(f"cannot enforce {flags}: {error.reason}", hint=error.fix, exit_code=125) from error


def join_files_of(container_id: str, pid: int) -> list[str]:
    """Where a process writes its number to share the limits of a running container, whose process 1 is `pid`."""
    return ContainerLimits(_groups_of(container_id, pid)).join_files


def usage_of(container_id: str, pid: int) -> Usage | None:
    """What a running container uses by the count of its own groups; None when it has none."""
    groups = _groups_of(container_id, pid)
    return cgroups.read_usage(groups) if groups else None


def describe_support() -> tuple[bool, str, str]:
    """Whether limits can be enforced here, tried for real: the answer, one line about it, and the fix."""
    try:
        hierarchies = cgroups.read_hierarchies()
        groups = cgroups.make_groups(f"labbox-probe-{os.getpid()}", _SMALLEST_SHARE, hierarchies)
    except NoGroupError as error:
        return False, f"no limits on memory, processors, processes: {error.reason}", error.fix
    cgroups.remove_groups(groups)
    versions = sorted({str(group.version) for group in groups})
    return True, f"limits on memory, processors, processes: control groups version {' and '.join(versions)}", ""


def _name(container_id: str) -> str:
    return f"labbox-{container_id}"


def _groups_of(container_id: str, pid: int) -> list[Group]:
    return cgroups.find_groups(pid, _name(container_id), cgroups.read_hierarchies())


def _check(resources: Resources) -> None:
    if resources.memory_bytes and resources.memory_bytes < _SMALLEST_MEMORY:
        raise UsageError("Minimum memory limit allowed is 6MB")
    if 0 < resources.memory_swap_bytes < resources.memory_bytes:
        raise UsageError("Minimum memoryswap limit should be larger than memory limit, see usage")
    if resources.memory_swap_bytes and not resources.memory_bytes:
        raise UsageError("You should always set the Memory limit when using Memoryswap limit, see usage")
    processors = os.cpu_count() or 1
    if resources.cpus and not _SMALLEST_CPUS <= resources.cpus <= processors:
        raise UsageError(
            f"range of CPUs is from {_SMALLEST_CPUS:.2f} to {processors:.2f}, "
            f"as there are only {processors} CPUs available"
        )


def _flags(resources: Resources) -> list[str]:
    flags = {"--memory": resources.memory_bytes, "--cpus": resources.cpus, "--pids-limit": resources.pids}
    return [flag for flag, value in flags.items() if value]
