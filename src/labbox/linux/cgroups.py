"""Control groups for one container at a time: where they can be made, what a limit is called, what has been used.

Version 2 (cgroup-v2.rst of the kernel's Documentation/admin-guide) and version 1 (cgroup-v1/) are both served, also
side by side as on hybrid hosts. Files are written, nothing is remembered: a group is found again by its name.
"""

import errno
import os
import time

from labbox.lightweight_typing import NamedTuple

_CPU_PERIOD_MICROSECONDS = 100_000
_REMOVAL_ATTEMPTS = 50
_SECONDS_BETWEEN_ATTEMPTS = 0.01
_COUNTING_CONTROLLERS = {"cpuacct"}  # of version 1: limits nothing, but knows the time used
_V2_MARK = "cgroup.controllers"
_UNLIMITED = 1 << 60  # version 1 writes "no limit" as the largest multiple of a page in 63 bits


class Limits(NamedTuple):
    """What a container may use; 0 means no limit. `memory_swap_bytes` counts memory and swap; -1 there is no limit."""

    memory_bytes: int = 0
    memory_swap_bytes: int = 0
    cpus: float = 0.0
    pids: int = 0


class Setting(NamedTuple):
    """A value for one file of a group; `optional` ones exist only on some kernels."""

    controller: str
    file: str
    value: str
    optional: bool = False


class Usage(NamedTuple):
    """What the processes of a group use now; None where its controller is not there."""

    memory_bytes: int | None
    memory_limit_bytes: int | None
    cpu_nanoseconds: int | None
    pids: int | None


class Hierarchy(NamedTuple):
    """A mounted tree of groups: its version, its controllers, its mount point, and the group this process is in."""

    version: int
    controllers: frozenset[str]
    mount_point: str
    own_group: str


class Group(NamedTuple):
    """One container's group in one hierarchy."""

    version: int
    controllers: frozenset[str]
    path: str


class NoGroupError(Exception):
    """A group cannot be made here; the text says why and what would help."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix


def plan_settings(limits: Limits, version: int) -> list[Setting]:
    """The files and values that give a group of this version its limits."""
    settings = _memory_settings_v2(limits) if version == 2 else _memory_settings_v1(limits)
    if limits.cpus:
        quota = round(limits.cpus * _CPU_PERIOD_MICROSECONDS)
        if version == 2:
            settings.append(Setting("cpu", "cpu.max", f"{quota} {_CPU_PERIOD_MICROSECONDS}"))
        else:
            settings.append(Setting("cpu", "cpu.cfs_period_us", str(_CPU_PERIOD_MICROSECONDS)))
            settings.append(Setting("cpu", "cpu.cfs_quota_us", str(quota)))
    if limits.pids:
        settings.append(Setting("pids", "pids.max", str(limits.pids)))
    return settings


def read_hierarchies(mountinfo: str = "/proc/self/mountinfo", own: str = "/proc/self/cgroup") -> list[Hierarchy]:
    """The hierarchies mounted here (proc_pid_mountinfo(5), cgroups(7))."""
    with open(own, encoding="utf-8") as file:
        memberships = [line.rstrip("\n").split(":", 2) for line in file]
    groups = {frozenset(names.split(",")) if names else frozenset(): path for _, names, path in memberships}
    found = []
    with open(mountinfo, encoding="utf-8") as file:
        for line in file:
            fields, _, rest = line.partition(" - ")
            kind, _, options = rest.split()[:3]
            mount_point = fields.split()[4]
            if kind == "cgroup2":
                controllers = frozenset(_read_words(os.path.join(mount_point, _V2_MARK)))
                found.append(Hierarchy(2, controllers, mount_point, groups.get(frozenset(), "/")))
            elif kind == "cgroup":
                found += _read_v1_hierarchy(mount_point, options, groups)
    return found


def make_groups(name: str, limits: Limits, hierarchies: list[Hierarchy]) -> list[Group]:
    """Make the groups that enforce the limits, one in each hierarchy that has a say; raises NoGroupError."""
    wanted = {setting.controller for setting in plan_settings(limits, 2)}
    _check_presence(wanted, hierarchies)
    groups: list[Group] = []
    try:
        for hierarchy in hierarchies:
            served = hierarchy.controllers & (wanted | _COUNTING_CONTROLLERS)
            if served:
                groups.append(_make_group(hierarchy, name, served))
        for group in groups:
            _apply(group, limits)
    except BaseException:
        remove_groups(groups)
        raise
    return groups


def find_groups(pid: int, name: str, hierarchies: list[Hierarchy]) -> list[Group]:
    """The groups called `name` that a process is in."""
    found = []
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
        lines = [line.rstrip("\n").split(":", 2) for line in file]
    for _, controllers, path in lines:
        if os.path.basename(path) != name:
            continue
        for hierarchy in hierarchies:
            is_same = not controllers if hierarchy.version == 2 else hierarchy.controllers & set(controllers.split(","))
            if is_same:
                found.append(Group(hierarchy.version, hierarchy.controllers, hierarchy.mount_point + path))
    return found


def remove_groups(groups: list[Group]) -> None:
    """Remove groups whose processes have ended; one that is still in use for half a second stays."""
    for group in groups:
        for _ in range(_REMOVAL_ATTEMPTS):
            try:
                os.rmdir(group.path)
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno == errno.EBUSY:  # the kernel is still putting away its last process
                    time.sleep(_SECONDS_BETWEEN_ATTEMPTS)
                    continue
            break


def count_oom_kills(groups: list[Group]) -> int:
    """How many processes of the groups the kernel has killed for lack of memory."""
    for group in groups:
        if "memory" in group.controllers:
            file = "memory.events" if group.version == 2 else "memory.oom_control"
            return _read_table(os.path.join(group.path, file)).get("oom_kill", 0)
    return 0


def read_usage(groups: list[Group]) -> Usage:
    """What the processes in the groups use; memory as docker counts it, without files that could be dropped at once."""
    memory = limit = cpu = pids = None
    for group in groups:
        if "memory" in group.controllers:
            memory, limit = _read_memory(group)
        if "pids" in group.controllers:
            pids = _read_number(os.path.join(group.path, "pids.current"))
        if group.version == 2:
            microseconds = _read_table(os.path.join(group.path, "cpu.stat")).get("usage_usec")
            cpu = microseconds * 1000 if microseconds is not None else cpu
        elif "cpuacct" in group.controllers:
            cpu = _read_number(os.path.join(group.path, "cpuacct.usage"))
    return Usage(memory, limit, cpu, pids)


def _memory_settings_v2(limits: Limits) -> list[Setting]:
    if not limits.memory_bytes:
        return []
    swap = _swap_bytes(limits)
    return [
        Setting("memory", "memory.max", str(limits.memory_bytes)),
        Setting("memory", "memory.swap.max", "max" if swap is None else str(swap), optional=True),
    ]


def _memory_settings_v1(limits: Limits) -> list[Setting]:
    if not limits.memory_bytes:
        return []
    swap = _swap_bytes(limits)
    total = -1 if swap is None else limits.memory_bytes + swap
    return [
        Setting("memory", "memory.limit_in_bytes", str(limits.memory_bytes)),
        Setting("memory", "memory.memsw.limit_in_bytes", str(total), optional=True),
    ]


def _swap_bytes(limits: Limits) -> int | None:
    """Swap alone, None for no limit; as docker: as much again as memory unless said otherwise."""
    if limits.memory_swap_bytes == -1:
        return None
    if limits.memory_swap_bytes == 0:
        return limits.memory_bytes
    return max(0, limits.memory_swap_bytes - limits.memory_bytes)


def _read_v1_hierarchy(mount_point: str, options: str, groups: dict[frozenset[str], str]) -> list[Hierarchy]:
    names = set(options.split(","))
    for listed, path in groups.items():
        if listed and listed <= names:
            return [Hierarchy(1, listed, mount_point, path)]
    return []


def _check_presence(wanted: set[str], hierarchies: list[Hierarchy]) -> None:
    missing = wanted.difference(*(hierarchy.controllers for hierarchy in hierarchies))
    if missing:
        reason = f"this kernel has no {_listed(missing)} control group controller mounted"
        raise NoGroupError(reason, "Mount /sys/fs/cgroup, or run without the limit")


def _make_group(hierarchy: Hierarchy, name: str, served: frozenset[str]) -> Group:
    parent = hierarchy.mount_point
    if os.geteuid() != 0:
        parent = _delegated_parent(hierarchy, served)
    path = os.path.join(parent, name)
    try:
        if hierarchy.version == 2:
            _enable(parent, served)
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        reason = f"control groups under {parent} are not ours to use: {error.strerror}"
        raise NoGroupError(reason, "Run labbox on the host itself, or without the limit") from error
    return Group(hierarchy.version, hierarchy.controllers, path)


def _delegated_parent(hierarchy: Hierarchy, served: frozenset[str]) -> str:
    """The nearest group above our own that is ours, passes the controllers on, and may receive our processes."""
    if hierarchy.version == 1:
        raise NoGroupError(
            f"this host's {_listed(served)} controller is of control groups version 1, which only root may use",
            "Run as root, or boot the host with systemd.unified_cgroup_hierarchy=1",
        )
    relative = os.path.dirname(hierarchy.own_group.rstrip("/"))
    while relative not in ("", "/"):
        parent = hierarchy.mount_point + relative
        if os.access(parent, os.W_OK) and os.access(os.path.join(parent, "cgroup.procs"), os.W_OK):
            missing = served - set(_read_words(os.path.join(parent, _V2_MARK)))
            if missing:
                raise NoGroupError(
                    f"the {_listed(missing)} controller is not delegated to this user",
                    "As root: mkdir -p /etc/systemd/system/user@.service.d && printf '[Service]\\nDelegate=cpu memory "
                    "pids\\n' > /etc/systemd/system/user@.service.d/delegate.conf && systemctl daemon-reload; "
                    "then log in again",
                )
            return parent
        relative = os.path.dirname(relative)
    raise NoGroupError(
        f"the control group of this login, {hierarchy.own_group}, is not delegated to this user",
        "Start it in a group of your own: systemd-run --user --scope labbox run …",
    )


def _enable(parent: str, controllers: frozenset[str]) -> None:
    """Let the children of a group have these controllers."""
    file = os.path.join(parent, "cgroup.subtree_control")
    missing = controllers - set(_read_words(file))
    if missing:
        _write(file, " ".join(f"+{controller}" for controller in sorted(missing)))


def _apply(group: Group, limits: Limits) -> None:
    for setting in plan_settings(limits, group.version):
        if setting.controller not in group.controllers:
            continue
        try:
            _write(os.path.join(group.path, setting.file), setting.value)
        except OSError as error:
            if not (setting.optional and error.errno in (errno.ENOENT, errno.EACCES, errno.EOPNOTSUPP)):
                reason = f"the kernel refuses `{setting.value}` for {setting.file}: {error.strerror}"
                raise NoGroupError(reason, "Choose another limit") from error


def _read_memory(group: Group) -> tuple[int | None, int | None]:
    if group.version == 2:
        used, limit, droppable = "memory.current", "memory.max", "inactive_file"
    else:
        used, limit, droppable = "memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file"
    total = _read_number(os.path.join(group.path, used))
    if total is None:
        return None, None
    total -= _read_table(os.path.join(group.path, "memory.stat")).get(droppable, 0)
    maximum = _read_number(os.path.join(group.path, limit))
    return max(0, total), maximum if maximum is not None and maximum < _UNLIMITED else None


def _read_number(path: str) -> int | None:
    words = _read_words(path)
    return int(words[0]) if words and words[0].isdecimal() else None


def _read_table(path: str) -> dict[str, int]:
    words = _read_words(path)
    return {key: int(value) for key, value in zip(words[::2], words[1::2], strict=False) if value.isdecimal()}


def _read_words(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().split()
    except OSError:
        return []


def _write(path: str, value: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def _listed(names: set[str] | frozenset[str]) -> str:
    return " and ".join(sorted(names))
