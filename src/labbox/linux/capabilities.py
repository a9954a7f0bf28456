"""Capabilities of the calling thread (capabilities(7)) and docker's default set."""

import ctypes
import struct

from labbox.linux import libc
from labbox.linux.process import prctl

# linux/capability.h, in order of their numbers.
NAMES: tuple[str, ...] = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip
NUMBERS: dict[str, int] = {name: number for number, name in enumerate(NAMES)}
DOCKER_DEFAULT: frozenset[str] = frozenset({
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
    "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
})  # fmt: skip

_VERSION_3 = 0x20080522
# linux/prctl.h
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4


def mask_of(names: "frozenset[str] | set[str]") -> int:
    """The bit mask of capabilities given by their names without `CAP_`."""
    return sum(1 << NUMBERS[name] for name in names)


def last_capability() -> int:
    """The highest capability number that this kernel knows."""
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:
        return int(file.read())


def read_permitted() -> int:
    """The permitted set of this thread as a bit mask (capget(2))."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION_3, 0), 8)
    data = ctypes.create_string_buffer(24)
    libc.syscall("capget", header, data)
    _, low, _, _, high, _ = struct.unpack("=6I", data.raw)
    return int(low | high << 32)


def limit_bounding_set(mask: int, last: int) -> None:
    """Drop from the bounding set every capability outside `mask`; `last` is the kernel's highest number."""
    for number in range(last + 1):
        if not mask >> number & 1:
            prctl(_PR_CAPBSET_DROP, number)


def set_capabilities(*, effective: int, permitted: int, inheritable: int = 0) -> None:
    """Set the three sets of this thread (capset(2)) and clear the ambient set."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION_3, 0), 8)
    words = [effective, permitted, inheritable]
    low = [word & 0xFFFFFFFF for word in words]
    high = [word >> 32 for word in words]
    data = ctypes.create_string_buffer(struct.pack("=6I", *low, *high), 24)
    prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    libc.syscall("capset", header, data)
