"""Installing seccomp filters in this process (seccomp(2)); making them is `seccomp_compile`'s part."""

import ctypes
import errno

from labbox.linux import libc

# linux/seccomp.h
_SECCOMP_SET_MODE_FILTER = 1
_FLAG_SPEC_ALLOW = 1 << 2
_FLAG_NEW_LISTENER = 1 << 3
_FLAG_WAIT_KILLABLE_RECV = 1 << 5
_INSTRUCTION_SIZE = 8  # linux/filter.h: struct sock_filter


class _Program(ctypes.Structure):
    """linux/filter.h: struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def install_filter(program: bytes) -> None:
    """Filter every further system call of this thread and of all it starts; nothing takes the filter away again.

    Needs CAP_SYS_ADMIN in its user namespace, or no_new_privs. The processor's mitigation against speculative store
    bypass stays as it is, as runc does: older kernels would switch it on, which costs numerical code dearly.
    """
    _install(program, _FLAG_SPEC_ALLOW)


def install_listener(program: bytes) -> int:
    """Install a filter with SECCOMP_RET_USER_NOTIF answers and return the descriptor that hears of them.

    Whoever holds the descriptor must serve it: until then the calls wait (seccomp_unotify(2)).
    """
    try:
        return _install(program, _FLAG_SPEC_ALLOW | _FLAG_NEW_LISTENER | _FLAG_WAIT_KILLABLE_RECV)
    except OSError as error:
        if error.errno != errno.EINVAL:  # before Linux 5.19 a signal may interrupt a call that is being served
            raise
        return _install(program, _FLAG_SPEC_ALLOW | _FLAG_NEW_LISTENER)


def _install(program: bytes, flags: int) -> int:
    packed = _Program(len(program) // _INSTRUCTION_SIZE, program)
    return libc.syscall("seccomp", _SECCOMP_SET_MODE_FILTER, flags, ctypes.c_void_p(ctypes.addressof(packed)))
