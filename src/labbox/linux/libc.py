"""The C library and raw system calls, typed, raising OSError with the call's name and the path it was about.

Only functions of `linux/` call into this module. Nothing here allocates callbacks (CFUNCTYPE): libffi's closure
heap does not survive fork on every Python.
"""

import ctypes
import os
import sys

from labbox.lightweight_typing import Callable, cast

_LIBC = ctypes.CDLL(None, use_errno=True)
_SYSCALL = _LIBC.syscall
_SYSCALL.restype = ctypes.c_long

# asm/unistd_64.h (x86_64) and asm-generic/unistd.h (aarch64); calls since Linux 5.1 have one number everywhere.
_NUMBERS: dict[str, dict[str, int]] = {
    "x86_64": {
        "pivot_root": 155,
        "capget": 125,
        "capset": 126,
        "seccomp": 317,
        "mknodat": 259,
        "setns": 308,
        "unshare": 272,
    },
    "aarch64": {
        "pivot_root": 41,
        "capget": 90,
        "capset": 91,
        "seccomp": 277,
        "mknodat": 33,
        "setns": 268,
        "unshare": 97,
    },
}
_COMMON_NUMBERS: dict[str, int] = {
    "pidfd_send_signal": 424,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "pidfd_open": 434,
    "close_range": 436,
    "openat2": 437,
    "mount_setattr": 442,
}
MACHINE = os.uname().machine
_TABLE = {**_NUMBERS.get(MACHINE, {}), **_COMMON_NUMBERS}


def raise_errno(call: str, path: str = "") -> None:
    """Raise OSError for the errno of the last call: "mount /proc: Operation not permitted"."""
    number = ctypes.get_errno()
    subject = f"{call} {path}" if path else call
    raise OSError(number, f"{subject}: {os.strerror(number)}")


def syscall(
    name: str, *arguments: "int | bytes | ctypes.Array[ctypes.c_char] | ctypes.c_void_p | None", path: str = ""
) -> int:
    """Call the kernel by name (syscall(2)); integers travel as 64-bit words, bytes as C strings.

    Raises OSError with errno, the call's name and `path`; ENOSYS on a machine whose numbers are not known.
    """
    number = _TABLE.get(name)
    if number is None:
        raise OSError(38, f"{name}: not known on {MACHINE} ({sys.platform})")
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    result: int = _SYSCALL(ctypes.c_long(number), *words)
    if result == -1:
        raise_errno(name, path)
    return result


def declare(name: str, *argument_types: type) -> Callable[..., int]:
    """A function of the C library with its argument types set and `int` as its result."""
    function = getattr(_LIBC, name)
    function.argtypes = list(argument_types)
    function.restype = ctypes.c_int
    return cast("Callable[..., int]", function)
