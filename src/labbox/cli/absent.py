"""Docker's flags and commands that labbox does not have, each with the reason and what to do instead."""

from labbox.lightweight_typing import NamedTuple


class Absent(NamedTuple):
    """Why something of docker's is not here, and the next step in its place."""

    reason: str
    instead: str | None = None


_CGROUP_IO = Absent("it sets no block-device limits", "leave it out; use --memory, --cpus and --pids-limit")
_CPU = Absent("processor time is limited by --cpus", "write --cpus N")
_CPU_SET = Absent("processors are not pinned", "start the command with `taskset -c LIST` inside the container")
_DEVICES = Absent("device nodes are not passed one by one", "use --gpus for GPUs, or -v for other device nodes")
_DAEMON = Absent("there is no daemon to talk to", "leave it out")
_HEALTH = Absent("it runs no health checks", "leave it out; check from outside with `labbox exec`")
_ISOLATION = Absent(
    "namespaces are always the container's own", "leave it out; only --network can be shared with the host"
)
_LINKS = Absent("containers do not see each other by name", "publish a port with -p and connect to the host")
_LOG = Absent("logs are always kept by labbox itself", "leave it out and read them with `labbox logs`")
_MEMORY = Absent("memory is limited by --memory and --memory-swap", "leave it out")
_NETWORK_ADDRESS = Absent("a container has no address of its own on the host's network", "publish a port with -p")
_RUNTIME = Absent("labbox itself is the runtime", "leave it out")
_WINDOWS = Absent("it belongs to Windows containers", "leave it out")

ABSENT_FLAGS: dict[str, Absent] = {
    "blkio-weight": _CGROUP_IO,
    "blkio-weight-device": _CGROUP_IO,
    "c": _CPU,
    "cgroup-parent": Absent("limits live in a cgroup of labbox's choice", "use --memory, --cpus and --pids-limit"),
    "cgroupns": _ISOLATION,
    "checkpoint": Absent("it does not checkpoint processes", "leave it out"),
    "checkpoint-dir": Absent("it does not checkpoint processes", "leave it out"),
    "config": Absent("settings are read from config.toml in $XDG_CONFIG_HOME/labbox", "leave it out"),
    "context": _DAEMON,
    "cpu-count": _WINDOWS,
    "cpu-percent": _WINDOWS,
    "cpu-period": _CPU,
    "cpu-quota": _CPU,
    "cpu-rt-period": _CPU,
    "cpu-rt-runtime": _CPU,
    "cpu-shares": _CPU,
    "cpuset-cpus": _CPU_SET,
    "cpuset-mems": _CPU_SET,
    "device": _DEVICES,
    "device-cgroup-rule": _DEVICES,
    "device-read-bps": _CGROUP_IO,
    "device-read-iops": _CGROUP_IO,
    "device-write-bps": _CGROUP_IO,
    "device-write-iops": _CGROUP_IO,
    "disable-content-trust": Absent("image content is always checked by digest", "leave it out"),
    "health-cmd": _HEALTH,
    "health-interval": _HEALTH,
    "health-retries": _HEALTH,
    "health-start-interval": _HEALTH,
    "health-start-period": _HEALTH,
    "health-timeout": _HEALTH,
    "host": _DAEMON,
    "H": _DAEMON,
    "io-maxbandwidth": _WINDOWS,
    "io-maxiops": _WINDOWS,
    "ip": _NETWORK_ADDRESS,
    "ip6": _NETWORK_ADDRESS,
    "ipc": Absent("shared memory is the container's own", "leave it out: /dev/shm may hold half of the memory"),
    "isolation": _WINDOWS,
    "kernel-memory": _MEMORY,
    "link": _LINKS,
    "link-local-ip": _NETWORK_ADDRESS,
    "log-driver": _LOG,
    "log-opt": _LOG,
    "mac-address": _NETWORK_ADDRESS,
    "memory-reservation": _MEMORY,
    "memory-swappiness": _MEMORY,
    "network-alias": _LINKS,
    "oom-kill-disable": _MEMORY,
    "oom-score-adj": Absent("the kernel's own choice of victims is kept", "leave it out"),
    "pid": _ISOLATION,
    "runtime": _RUNTIME,
    "storage-opt": Absent("a container's disk is the host's disk", "leave it out"),
    "sysctl": Absent("kernel settings are not changed per container", "leave it out"),
    "tls": _DAEMON,
    "tlsverify": _DAEMON,
    "tree": Absent("images here are of one platform", "leave it out"),
    "use-api-socket": _DAEMON,
    "userns": Absent("the user namespace follows from who runs labbox", "see `labbox doctor` for the mode in use"),
    "uts": _ISOLATION,
    "volume-driver": Absent("volumes are folders of this machine", "leave it out"),
}

_SWARM = Absent("it runs containers on this machine only")

ABSENT_COMMANDS: dict[str, Absent] = {
    "checkpoint": Absent("it does not checkpoint processes"),
    "compose": Absent("one container is started at a time", "use `labbox run`"),
    "config": _SWARM,
    "container pause": Absent("it does not freeze containers", "use `labbox stop` and `labbox start`"),
    "container unpause": Absent("it does not freeze containers", "use `labbox stop` and `labbox start`"),
    "container update": Absent("limits are set when a container is made", "make a new one with `labbox run`"),
    "context": Absent("there is no daemon to choose"),
    "events": Absent("there is no daemon that could tell", "ask with `labbox ps` or wait with `labbox wait`"),
    "network": Absent("a container's network is its own, the host's, or none", "use --network host or --network none"),
    "node": _SWARM,
    "pause": Absent("it does not freeze containers", "use `labbox stop` and `labbox start`"),
    "plugin": Absent("it has no plugins"),
    "service": _SWARM,
    "stack": _SWARM,
    "swarm": _SWARM,
    "system events": Absent("there is no daemon that could tell", "ask with `labbox ps` or wait with `labbox wait`"),
    "unpause": Absent("it does not freeze containers", "use `labbox stop` and `labbox start`"),
    "update": Absent("limits are set when a container is made", "make a new one with `labbox run`"),
}
