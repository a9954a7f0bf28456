"""Seccomp filters: docker's default for every call there is, profiles of the user's own, and the real kernel."""

import ctypes
import errno
import json
import os
import socket
from typing import Any

import pytest

from harness.networks import STRANGER, become, users
from labbox.errors import UnsupportedError, UsageError
from labbox.linux import seccomp, seccomp_compile
from labbox.linux.idmap import enter_user_namespace, run_forked, single_identity
from labbox.linux.process import PR_SET_NO_NEW_PRIVS, prctl
from labbox.linux.seccomp_profile import ALLOW, DENY, ERRNO, LOG, NOT_IMPLEMENTED, USER_NOTIF
from labbox.linux.seccomp_tables import syscall_numbers
from linux.bpf_machine import run_program, seccomp_data

X86_64, I386, AARCH64, ARM = 0xC000003E, 0x40000003, 0xC00000B7, 0x40000028
ABIS = [
    ("x86_64", "x86_64", X86_64),
    ("x86_64", "i386", I386),
    ("aarch64", "aarch64", AARCH64),
    ("aarch64", "arm", ARM),
]
DOCKER_CAPABILITIES = frozenset(
    {
        "CAP_AUDIT_WRITE",
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",
        "CAP_MKNOD",
        "CAP_NET_BIND_SERVICE",
        "CAP_NET_RAW",
        "CAP_SETFCAP",
        "CAP_SETGID",
        "CAP_SETPCAP",
        "CAP_SETUID",
        "CAP_SYS_CHROOT",
    }
)
on_x86_64 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of this test are those of x86_64")


def action_of(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    return run_program(program, seccomp_data(number, architecture, arguments))


def default_action(name: str, *arguments: int, capabilities: frozenset[str] = DOCKER_CAPABILITIES) -> int:
    program = seccomp_compile.compile_default_profile(capabilities, "x86_64")
    return action_of(program, X86_64, syscall_numbers("x86_64")[name], *arguments)


def custom(document: Any, capabilities: frozenset[str] = DOCKER_CAPABILITIES) -> bytes:
    return seccomp_compile.compile_custom_profile(document, capabilities, "x86_64")


@pytest.mark.parametrize(("machine", "abi", "architecture"), ABIS)
def test_every_call_of_every_architecture_is_allowed_refused_or_unknown(
    machine: str, abi: str, architecture: int
) -> None:
    program = seccomp_compile.compile_default_profile(DOCKER_CAPABILITIES, machine)
    by_action: dict[int, set[str]] = {}
    for name, number in syscall_numbers(abi).items():
        by_action.setdefault(action_of(program, architecture, number, 0, 0, 0), set()).add(name)
    assert set(by_action) == {ALLOW, DENY, NOT_IMPLEMENTED}
    assert {"read", "execve", "clone", "socket", "personality", "mbind", "chroot"} <= by_action[ALLOW]
    assert {"mount", "bpf", "io_uring_setup", "keyctl", "kexec_load", "unshare", "setns"} <= by_action[DENY]
    newer = {"open_tree_attr", "file_getattr", "file_setattr", "listns", "rseq_slice_yield", "get_tls"}
    assert {"clone3"} <= by_action[NOT_IMPLEMENTED] <= {"clone3"} | newer


@pytest.mark.parametrize(("machine", "abi", "architecture"), ABIS)
def test_a_call_nobody_has_heard_of_is_not_implemented(machine: str, abi: str, architecture: int) -> None:
    program = seccomp_compile.compile_default_profile(DOCKER_CAPABILITIES, machine)
    taken = set(syscall_numbers(abi).values())
    for number in [*(number for number in range(1000) if number not in taken), 2**31, 2**32 - 1]:
        assert action_of(program, architecture, number) == NOT_IMPLEMENTED, number


def test_programs_of_a_foreign_architecture_find_no_call_implemented() -> None:
    program = seccomp_compile.compile_default_profile(DOCKER_CAPABILITIES, "x86_64")
    assert action_of(program, AARCH64, 0) == NOT_IMPLEMENTED


def test_calls_of_the_x32_architecture_are_not_implemented() -> None:
    program = seccomp_compile.compile_default_profile(DOCKER_CAPABILITIES, "x86_64")
    assert action_of(program, X86_64, 0x40000000 | syscall_numbers("x86_64")["getpid"]) == NOT_IMPLEMENTED


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        (socket.AF_UNIX, ALLOW),
        (socket.AF_INET6, ALLOW),
        (socket.AF_NETLINK, ALLOW),
        (38, DENY),
        (39, ALLOW),
        (40, DENY),
        (41, ALLOW),
        (1 << 32 | 38, DENY),
        (0xFFFFFFFF00000028, DENY),
    ],
)
def test_sockets_of_the_kernels_crypto_and_of_the_hypervisor_are_refused(domain: int, expected: int) -> None:
    assert default_action("socket", domain, 1, 0) == expected


@pytest.mark.parametrize(
    ("flags", "expected"),
    [(0x11, ALLOW), (0x3D0F00, ALLOW), (0x10000000, DENY), (0x00020000, DENY), (0x40000000 | 0x11, DENY)],
)
def test_new_processes_may_be_made_and_new_namespaces_not(flags: int, expected: int) -> None:
    assert default_action("clone", flags) == expected


@pytest.mark.parametrize(
    ("persona", "expected"), [(0, ALLOW), (8, ALLOW), (0x20008, ALLOW), (0xFFFFFFFF, ALLOW), (0x40000, DENY), (1, DENY)]
)
def test_personalities_that_weaken_protection_are_refused(persona: int, expected: int) -> None:
    assert default_action("personality", persona) == expected


@pytest.mark.parametrize(
    ("capability", "call"),
    [
        ("CAP_SYS_ADMIN", "mount"),
        ("CAP_SYS_ADMIN", "clone3"),
        ("CAP_SYS_TIME", "clock_settime"),
        ("CAP_SYS_MODULE", "init_module"),
        ("CAP_SYS_PTRACE", "kcmp"),
        ("CAP_BPF", "bpf"),
        ("CAP_PERFMON", "perf_event_open"),
        ("CAP_SYSLOG", "syslog"),
        ("CAP_SYS_BOOT", "reboot"),
        ("CAP_DAC_READ_SEARCH", "open_by_handle_at"),
    ],
)
def test_a_capability_opens_its_calls(capability: str, call: str) -> None:
    assert default_action(call) != ALLOW
    assert default_action(call, capabilities=DOCKER_CAPABILITIES | {capability}) == ALLOW


def test_without_its_capability_chroot_is_refused() -> None:
    assert default_action("chroot", capabilities=frozenset()) == DENY


def test_a_filter_fits_the_kernel_and_is_the_same_every_time() -> None:
    programs = {seccomp_compile.compile_default_profile(DOCKER_CAPABILITIES, "x86_64") for _ in range(3)}
    assert len(programs) == 1
    assert len(programs.pop()) // 8 <= 4096


def test_an_unknown_machine_is_named() -> None:
    with pytest.raises(UnsupportedError, match="riscv64"):
        seccomp_compile.compile_default_profile(DOCKER_CAPABILITIES, "riscv64")


def test_faked_calls_succeed_and_others_pass() -> None:
    program = seccomp_compile.fake_success_filter(seccomp_compile.SYNC_CALLS, "x86_64")
    assert action_of(program, X86_64, syscall_numbers("x86_64")["fsync"]) == ERRNO
    assert action_of(program, I386, syscall_numbers("i386")["fsync"]) == ERRNO
    assert action_of(program, X86_64, syscall_numbers("x86_64")["read"]) == ALLOW
    assert action_of(program, X86_64, 5000) == ALLOW


@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("chown", (0, 1, 1), USER_NOTIF),
        ("fchownat", (0, 0, 1, 1, 0), USER_NOTIF),
        ("mknod", (0, 0o020644, 0x0501), USER_NOTIF),
        ("mknodat", (0, 0, 0o060600, 0x0800), USER_NOTIF),
        ("mknodat", (0, 0, 0o020000, 0), ALLOW),
        ("mknodat", (0, 0, 0o010644, 0x0501), ALLOW),
        ("chmod", (0, 0o4755), ALLOW),
    ],
)
def test_changes_of_owner_and_device_nodes_are_left_to_a_supervisor(
    call: str, arguments: tuple[int, ...], expected: int
) -> None:
    program = seccomp_compile.ownership_notify_filter("x86_64")
    assert action_of(program, X86_64, syscall_numbers("x86_64")[call], *arguments) == expected


def test_a_profile_of_the_users_own_is_obeyed() -> None:
    program = custom(
        {
            "defaultAction": "SCMP_ACT_ALLOW",
            "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
            "syscalls": [
                {"names": ["mkdir", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 30},
                {"name": "rmdir", "action": "SCMP_ACT_LOG"},
                {
                    "names": ["kill"],
                    "action": "SCMP_ACT_ERRNO",
                    "args": [{"index": 1, "op": "SCMP_CMP_EQ", "value": 9}],
                },
                {
                    "names": ["open"],
                    "action": "SCMP_ACT_ERRNO",
                    "args": [{"index": 1, "op": "SCMP_CMP_MASKED_EQ", "value": 3, "valueTwo": 1}],
                },
            ],
        }
    )
    numbers = syscall_numbers("x86_64")
    assert action_of(program, X86_64, numbers["mkdir"]) == ERRNO | errno.EROFS
    assert action_of(program, I386, syscall_numbers("i386")["mkdir"]) == ERRNO | errno.EROFS
    assert action_of(program, X86_64, numbers["rmdir"]) == LOG
    assert action_of(program, X86_64, numbers["kill"], 1, 9) == DENY
    assert action_of(program, X86_64, numbers["kill"], 1, 15) == ALLOW
    assert action_of(program, X86_64, numbers["open"], 0, 0x241) == DENY
    assert action_of(program, X86_64, numbers["open"], 0, 0x242) == ALLOW
    assert action_of(program, X86_64, 5000) == ALLOW


def test_several_comparisons_of_one_argument_are_alternatives() -> None:
    values = [{"index": 0, "op": "SCMP_CMP_EQ", "value": value} for value in (3, 5)]
    program = custom(
        {
            "defaultAction": "SCMP_ACT_ERRNO",
            "syscalls": [{"names": ["close"], "action": "SCMP_ACT_ALLOW", "args": values}],
        }
    )
    number = syscall_numbers("x86_64")["close"]
    assert [action_of(program, X86_64, number, value) for value in (3, 4, 5)] == [ALLOW, DENY, ALLOW]


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"includes": {"caps": ["CAP_KILL"]}}, True),
        ({"includes": {"caps": ["CAP_KILL", "CAP_SYS_ADMIN"]}}, False),
        ({"excludes": {"caps": ["CAP_KILL"]}}, False),
        ({"includes": {"arches": ["amd64", "s390"]}}, True),
        ({"includes": {"arches": ["arm64"]}}, False),
        ({"includes": {"minKernel": "4.8"}}, True),
        ({"includes": {"minKernel": "99.0"}}, False),
        ({"excludes": {"minKernel": "4.8"}}, False),
    ],
)
def test_rules_that_do_not_apply_here_are_left_out(condition: dict[str, Any], allowed: bool) -> None:  # noqa: FBT001
    rule = {"names": ["mkdir"], "action": "SCMP_ACT_ALLOW", **condition}
    program = custom(
        {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule, {"name": "read", "action": "SCMP_ACT_ALLOW"}]}
    )
    expected = ALLOW if allowed else (DENY, NOT_IMPLEMENTED)
    found = action_of(program, X86_64, syscall_numbers("x86_64")["mkdir"])
    assert found == expected if allowed else found in (DENY, NOT_IMPLEMENTED)


def test_a_malformed_profile_has_all_its_faults_named() -> None:
    document = {
        "defaultAction": "SCMP_ACT_MAYBE",
        "syscalls": [
            {"action": "SCMP_ACT_ALLOW"},
            {"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5000},
            {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 9, "op": "SCMP_CMP_LIKE", "value": -1}]},
            "read",
        ],
    }
    with pytest.raises(UsageError) as caught:
        custom(document)
    for fault in (
        "defaultAction: `SCMP_ACT_MAYBE`",
        "syscalls[0].names: missing required value",
        "syscalls[1].action: errno `5000`",
        "syscalls[2].args[0].index: `9`",
        "syscalls[2].args[0].op: `SCMP_CMP_LIKE`",
        "syscalls[2].args[0].value: `-1`",
        "syscalls[3]: expected an object",
    ):
        assert fault in caught.value.message


@pytest.mark.parametrize("document", [None, [], "", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": {}}])
def test_what_is_no_profile_is_refused(document: Any) -> None:
    with pytest.raises(UsageError, match="expected"):
        custom(document)


def test_a_chain_of_many_alternatives_stays_small() -> None:
    rules = [
        {"names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "op": "SCMP_CMP_EQ", "value": value}]}
        for value in range(100)
    ]
    program = custom(json.loads(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules})))
    assert len(program) // 8 < 1000
    number = syscall_numbers("x86_64")["ioctl"]
    assert [action_of(program, X86_64, number, 0, value) for value in (0, 99, 100)] == [ALLOW, ALLOW, DENY]


@on_x86_64
@pytest.mark.parametrize("uid", users())
def test_the_kernel_enforces_the_default_profile(uid: int) -> None:
    program = seccomp_compile.compile_default_profile(DOCKER_CAPABILITIES, "x86_64")

    def prepare() -> None:
        become(uid)
        if uid:
            enter_user_namespace(single_identity())
        seccomp.install_filter(program)

    def try_calls() -> dict[str, int]:
        numbers = syscall_numbers("x86_64")
        calls = {
            "getpid": (),
            "socket": (socket.AF_UNIX, 1, 0),
            "mount": (0, 0, 0, 0, 0),
            "clone3": (0, 0),
            "io_uring_setup": (1, 0),
            "listns": (0, 0, 0, 0),
        }
        results = {name: _errno_of(numbers[name], *arguments) for name, arguments in calls.items()}
        return results | {"AF_ALG": _errno_of(numbers["socket"], 38, 5, 0), "future": _errno_of(5000)}

    assert run_forked(prepare, try_calls) == {
        "getpid": 0,
        "socket": 0,
        "mount": errno.EPERM,
        "clone3": errno.ENOSYS,
        "io_uring_setup": errno.EPERM,
        "listns": errno.ENOSYS,
        "AF_ALG": errno.EPERM,
        "future": errno.ENOSYS,
    }


def test_without_privilege_the_kernel_wants_no_new_privileges_first() -> None:
    program = seccomp_compile.fake_success_filter(["fsync"], os.uname().machine)

    def try_twice() -> None:
        become(STRANGER if os.geteuid() == 0 else os.geteuid())
        with pytest.raises(PermissionError, match="seccomp: Permission denied"):
            seccomp.install_filter(program)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        seccomp.install_filter(program)
        os.fsync(1 << 20)  # no such file: the kernel never sees the call

    run_forked(lambda: None, try_twice)


def _errno_of(number: int, *arguments: int) -> int:
    call = ctypes.CDLL(None, use_errno=True).syscall
    result = call(ctypes.c_long(number), *(ctypes.c_long(argument) for argument in arguments))
    return ctypes.get_errno() if result == -1 else 0
