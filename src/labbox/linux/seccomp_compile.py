"""Seccomp filters made from rules: docker's default, docker's JSON profiles, and those one-id containers need.

Compiling is pure: the result is bytes for `labbox.linux.seccomp.install_filter`, and the same on every machine, so it
can be kept in a cache under (capabilities, architecture).
"""

from collections.abc import Callable, Iterable
from typing import Any

from labbox.errors import UnsupportedError
from labbox.linux import bpf
from labbox.linux.bpf import Comparison, Program
from labbox.linux.seccomp_profile import (
    ABIS,
    ALLOW,
    DENY,
    LOG,
    NOT_IMPLEMENTED,
    PRETEND_SUCCESS,
    TRACE,
    USER_NOTIF,
    Rule,
    default_rules,
)
from labbox.linux.seccomp_tables import syscall_numbers

# linux/audit.h
_AUDIT_ARCHITECTURES = {"x86_64": 0xC000003E, "i386": 0x40000003, "aarch64": 0xC00000B7, "arm": 0x40000028}
_X32_BIT = 0x40000000  # asm/unistd.h: __X32_SYSCALL_BIT
_PERMISSIVE = (ALLOW, LOG, TRACE)

SYNC_CALLS = ("fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "sync_file_range2", "msync")
SLEEP_CALLS = ("nanosleep", "clock_nanosleep", "clock_nanosleep_time64")
_ID_CHANGES = (
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "setfsuid",
    "setfsgid",
)
IDENTITY_CALLS = (*_ID_CHANGES, *(f"{name}32" for name in _ID_CHANGES), "capset")
OWNERSHIP_CALLS = ("chown", "chown32", "lchown", "lchown32", "fchown", "fchown32", "fchownat")

_S_IFMT, _S_IFCHR, _S_IFBLK = 0o170000, 0o020000, 0o060000


def compile_default_profile(capabilities: frozenset[str], architecture: str) -> bytes:
    """Docker's default profile for a container with these capabilities, on a machine named as `uname -m` does."""
    return _compile(architecture, lambda abi: default_rules(capabilities, abi), DENY)


def compile_custom_profile(document: Any, capabilities: frozenset[str], architecture: str) -> bytes:
    """A profile in docker's JSON format (`--security-opt seccomp=FILE`), already decoded.

    Names that this architecture does not have are ignored, as docker does; raises UsageError naming every fault.
    """
    from labbox.linux.seccomp_json import read_profile  # noqa: PLC0415  (few containers bring a profile of their own)

    profile = read_profile(document, capabilities, architecture)
    return _compile(architecture, lambda _abi: profile.rules, profile.default_action, abis=profile.abis)


def fake_success_filter(syscalls: Iterable[str], architecture: str) -> bytes:
    """A filter that answers these calls with success without making them; all others it lets pass."""
    rules = [Rule(tuple(syscalls), PRETEND_SUCCESS)]
    return _compile(architecture, lambda _abi: rules, ALLOW)


def ownership_notify_filter(architecture: str) -> bytes:
    """A filter that leaves changes of owner and the making of device nodes to a supervisor; all others it lets pass.

    Character device 0:0, overlayfs' whiteout, anybody may make (mknod(2), since Linux 5.8): that one passes as well.
    """
    rules = [Rule(OWNERSHIP_CALLS, USER_NOTIF)]
    for name, mode_argument in (("mknod", 1), ("mknodat", 2)):
        is_character = Comparison(mode_argument, "==", _S_IFCHR, mask=_S_IFMT, bits=32)
        is_block = Comparison(mode_argument, "==", _S_IFBLK, mask=_S_IFMT, bits=32)
        is_whiteout = Comparison(mode_argument + 1, "==", 0, bits=32)
        rules += [
            Rule((name,), ALLOW, (is_character, is_whiteout)),
            Rule((name,), USER_NOTIF, (is_character,)),
            Rule((name,), USER_NOTIF, (is_block,)),
        ]
    return _compile(architecture, lambda _abi: rules, ALLOW)


def _compile(
    architecture: str, rules_for: Callable[[str], list[Rule]], default: int, abis: tuple[str, ...] | None = None
) -> bytes:
    if architecture not in ABIS:
        raise UnsupportedError(f"no system call filter for machines of type `{architecture}`")
    if abis is None:
        abis = ABIS[architecture]
    # Programs of any other architecture find that no call is implemented, unless everything is permitted anyway.
    program = bpf.give(_for_unknown_calls(default))
    for abi in reversed(abis):
        by_number = _compile_abi(abi, rules_for(abi), default)
        program = bpf.if_equal(_AUDIT_ARCHITECTURES[abi], by_number, program)
    return bpf.encode([bpf.load(bpf.ARCHITECTURE_OFFSET), *program])


def _compile_abi(abi: str, rules: list[Rule], default: int) -> Program:
    numbers = syscall_numbers(abi)
    actions = _actions_by_number(numbers, rules, default)
    ranges: list[tuple[int, Program]] = []
    last_action: object = None
    for first, action in _ranges(actions, _for_unknown_calls(default), x32=abi == "x86_64"):
        if action != last_action:
            ranges.append((first, _to_program(action, default)))
            last_action = action
    return [bpf.load(bpf.NUMBER_OFFSET), *bpf.decide_by_number(ranges)]


def _for_unknown_calls(default: int) -> int:
    """What to answer to a call the profile cannot know: refused as EPERM it would break a C library's fallbacks."""
    return default if default in _PERMISSIVE else NOT_IMPLEMENTED


_Action = int | tuple[Rule, ...]


def _actions_by_number(numbers: dict[str, int], rules: list[Rule], default: int) -> dict[int, _Action]:
    """For every known call what to do: an action, or rules to try in turn.

    Calls newer than all that the rules name count as unknown.
    """
    actions: dict[int, _Action] = {}
    for rule in rules:
        whole_rule = (Rule((), rule.action, rule.comparisons),)
        for name in rule.names:
            number = numbers.get(name)
            if number is None:
                continue
            former = actions.get(number)
            if not rule.comparisons:
                actions[number] = (*former, *whole_rule) if isinstance(former, tuple) else rule.action
            elif former is None:
                actions[number] = whole_rule
            elif isinstance(former, tuple):
                actions[number] = (*former, *whole_rule)
    newest = max(actions, default=0)
    for number in numbers.values():
        if number < newest:
            actions.setdefault(number, default)
    return actions


def _ranges(actions: dict[int, _Action], unknown: int, *, x32: bool) -> Iterable[tuple[int, _Action]]:
    """First number and action of consecutive ranges that cover all numbers; neighbours may have equal actions."""
    following = 0
    for number in sorted(actions):
        if number != following:
            yield following, unknown
        yield number, actions[number]
        following = number + 1
    yield following, unknown
    if x32:  # calls of the x32 architecture carry this bit; kernels answer ENOSYS to them unless told otherwise
        yield _X32_BIT, NOT_IMPLEMENTED


def _to_program(action: _Action, default: int) -> Program:
    if isinstance(action, int):
        return bpf.give(action)
    program = bpf.give(default)
    for rule in reversed(action):
        program = bpf.if_all(rule.comparisons, bpf.give(rule.action), program)
    return program
