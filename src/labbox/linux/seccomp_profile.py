"""Which system calls a container may make: docker's default profile, as rules of our own.

Source of the facts: moby/profiles, seccomp/default_linux.go, June 2026. What differs, and why:
- the NUMA memory policy calls are allowed without CAP_SYS_NICE: they bind a process's own memory, numactl and NCCL use
  them, and docker's refusal costs training jobs warnings and speed;
- the address family of socket(2) is compared as the 32-bit number the kernel takes: compared as 64 bits, as docker's
  is, a family with a bit set above them passes the filter and means AF_ALG to the kernel all the same.
As in docker's, 32-bit programs may call socketcall(2), whose arguments no filter can read.
"""

import errno
from typing import NamedTuple

from labbox.linux.bpf import Comparison

# linux/seccomp.h
KILL_PROCESS = 0x80000000
KILL_THREAD = 0x00000000
TRAP = 0x00030000
ERRNO = 0x00050000
USER_NOTIF = 0x7FC00000
TRACE = 0x7FF00000
LOG = 0x7FFC0000
ALLOW = 0x7FFF0000

DENY = ERRNO | errno.EPERM
NOT_IMPLEMENTED = ERRNO | errno.ENOSYS
PRETEND_SUCCESS = ERRNO | 0

# Architectures whose programs a machine runs: its own first, then the 32-bit one it is compatible with.
ABIS = {"x86_64": ("x86_64", "i386"), "aarch64": ("aarch64", "arm")}


class Rule(NamedTuple):
    """An action for some calls, when all comparisons of their arguments hold."""

    names: tuple[str, ...]
    action: int
    comparisons: tuple[Comparison, ...] = ()


def default_rules(capabilities: frozenset[str], abi: str) -> list[Rule]:
    """The rules for a container with these capabilities (`CAP_…` names), for programs of one architecture."""
    rules = [Rule(tuple(_ALWAYS_ALLOWED.split()), ALLOW), *_SOCKET_RULES, *_PERSONALITY_RULES]
    rules.append(Rule(tuple(_ALLOWED_BY_ABI[abi].split()), ALLOW))
    for capability, names in _ALLOWED_BY_CAPABILITY.items():
        if capability in capabilities:
            rules.append(Rule(tuple(names.split()), ALLOW))
    if "CAP_SYS_ADMIN" not in capabilities:
        rules += _CLONE_RULES
    return rules


_ALWAYS_ALLOWED = """
    open openat openat2 creat close close_range dup dup2 dup3 pipe pipe2 fcntl fcntl64 ioctl flock
    read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek readahead
    fadvise64 fadvise64_64 fallocate truncate truncate64 ftruncate ftruncate64
    sync syncfs fsync fdatasync sync_file_range copy_file_range sendfile sendfile64 splice tee vmsplice
    stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64
    statmount listmount access faccessat faccessat2
    chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat lchown lchown32 umask
    utime utimes futimesat utimensat utimensat_time64
    chdir fchdir getcwd mkdir mkdirat rmdir getdents getdents64 rename renameat renameat2 link linkat symlink symlinkat
    readlink readlinkat unlink unlinkat mknod mknodat name_to_handle_at
    getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat
    listxattr llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat
    inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark

    select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64
    epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2
    eventfd eventfd2 signalfd signalfd4 timerfd_create
    timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64
    io_setup io_submit io_getevents io_pgetevents io_pgetevents_time64 io_cancel io_destroy

    mmap mmap2 munmap mremap mprotect madvise mincore msync brk remap_file_pages map_shadow_stack mseal
    mlock mlock2 mlockall munlock munlockall memfd_create memfd_secret membarrier
    pkey_alloc pkey_free pkey_mprotect process_mrelease
    get_mempolicy set_mempolicy mbind set_mempolicy_home_node cachestat

    fork vfork execve execveat exit exit_group wait4 waitid waitpid
    getpid getppid gettid getpgid getpgrp setpgid getsid setsid pidfd_open pidfd_send_signal
    set_tid_address set_thread_area get_thread_area set_robust_list get_robust_list rseq
    futex futex_time64 futex_wait futex_waitv futex_wake futex_requeue
    kill tkill tgkill pause alarm restart_syscall sigaltstack sigprocmask sigreturn
    rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_tgsigqueueinfo rt_sigreturn rt_sigsuspend
    rt_sigtimedwait rt_sigtimedwait_time64
    ptrace process_vm_readv process_vm_writev uretprobe
    prctl seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self

    getuid getuid32 geteuid geteuid32 getresuid getresuid32 getgid getgid32 getegid getegid32 getresgid getresgid32
    getgroups getgroups32 setuid setuid32 setreuid setreuid32 setresuid setresuid32 setfsuid setfsuid32
    setgid setgid32 setregid setregid32 setresgid setresgid32 setfsgid setfsgid32 setgroups setgroups32
    capget capset

    sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam
    sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min
    sched_rr_get_interval sched_rr_get_interval_time64 getpriority setpriority ioprio_get ioprio_set
    getrlimit ugetrlimit setrlimit prlimit64 getrusage times sysinfo uname getcpu getrandom riscv_hwprobe

    time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64
    clock_nanosleep clock_nanosleep_time64 nanosleep adjtimex clock_adjtime clock_adjtime64
    getitimer setitimer timer_create timer_delete timer_getoverrun
    timer_gettime timer_gettime64 timer_settime timer_settime64

    socketpair socketcall bind listen accept accept4 connect shutdown getsockname getpeername
    getsockopt setsockopt send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64
    ipc msgget msgctl msgrcv msgsnd semget semctl semop semtimedop semtimedop_time64 shmget shmctl shmat shmdt
    mq_open mq_unlink mq_notify mq_getsetattr
    mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64
"""

_ALLOWED_BY_ABI = {
    "x86_64": "arch_prctl modify_ldt",
    "i386": "arch_prctl modify_ldt",
    "aarch64": "sync_file_range2",
    "arm": "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
}

_ALLOWED_BY_CAPABILITY = {
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_SYS_ADMIN": (
        "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr"
        " lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl"
        " quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare"
    ),
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "delete_module init_module finit_module",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": "kcmp pidfd_getfd process_madvise",
    "CAP_SYS_RAWIO": "iopl ioperm",
    "CAP_SYS_TIME": "settimeofday stime clock_settime clock_settime64",
    "CAP_SYS_TTY_CONFIG": "vhangup",
    "CAP_SYSLOG": "syslog",
    "CAP_BPF": "bpf",
    "CAP_PERFMON": "perf_event_open",
}

# linux/socket.h: the kernel's crypto interface (AF_ALG) and the channel to the hypervisor (AF_VSOCK) stay closed.
_AF_ALG = 38
_AF_VSOCK = 40
_SOCKET_RULES = [
    Rule(("socket",), DENY, (Comparison(0, "==", _AF_ALG, bits=32),)),
    Rule(("socket",), DENY, (Comparison(0, "==", _AF_VSOCK, bits=32),)),
    Rule(("socket",), ALLOW),
]

# linux/personality.h: PER_LINUX, PER_LINUX32, each with and without UNAME26, and the query 0xffffffff.
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
_PERSONALITY_RULES = [Rule(("personality",), ALLOW, (Comparison(0, "==", value),)) for value in _PERSONALITIES]

# linux/sched.h: all CLONE_NEW* flags but CLONE_NEWTIME, which clone(2) does not take. The flags of clone3(2) lie in
# memory, out of a filter's sight: as if it were not implemented, so the C library falls back to clone(2).
_NEW_NAMESPACES = 0x7E020000
_CLONE_RULES = [
    Rule(("clone",), ALLOW, (Comparison(0, "==", 0, mask=_NEW_NAMESPACES),)),
    Rule(("clone3",), NOT_IMPLEMENTED),
]
