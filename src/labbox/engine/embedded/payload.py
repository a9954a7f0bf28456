"""The last steps of a process before it becomes the container's program: user, limits, capabilities, filter, execve.

Shared by the container's command and by `exec`. Everything here runs inside the container's root, between fork and
exec: only imported modules, `os` and system calls.
"""

import errno
import os
import resource

from labbox.engine.embedded.users import ContainerUser, find_user
from labbox.errors import CommandNotExecutableError, CommandNotFoundError, EngineError
from labbox.lightweight_modules import signal
from labbox.lightweight_typing import Any, NamedTuple
from labbox.linux import capabilities, terminals
from labbox.linux.process import (
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    close_from,
    prctl,
    reset_signals,
)
from labbox.linux.seccomp import install_filter


class Payload(NamedTuple):
    """A program to become, with its user resolved in the container's own files."""

    command: tuple[str, ...]
    environment: dict[str, str]
    working_dir: str
    user: ContainerUser
    terminal: bool
    capabilities: int
    no_new_privileges: bool
    filters: tuple[bytes, ...]
    limits: tuple[tuple[int, int, int], ...]
    set_groups: bool
    last_capability: int


def make_payload(plan: dict[str, Any]) -> Payload:
    """Resolve the planned user in the root this process stands in; raises EngineError for an unknown one."""
    user = find_user(plan["user"], tuple(plan["group_add"]))
    environment = dict(entry.partition("=")[::2] for entry in plan["environment"])
    environment.setdefault("HOME", user.home)
    mask = plan["capabilities"] & capabilities.read_permitted()
    return Payload(
        command=tuple(plan["command"]),
        environment=environment,
        working_dir=plan["working_dir"] or "/",
        user=user,
        terminal=plan["terminal"],
        capabilities=mask,
        no_new_privileges=plan["no_new_privileges"],
        filters=tuple(plan["filters"]),
        limits=tuple(plan["limits"]),
        set_groups=plan["groups_settable"] and (plan["mode"] == "root" or len(user.groups) > 1 or user.uid != 0),
        last_capability=plan["last_capability"],
    )


def start_payload(payload: Payload, standard: tuple[int, ...], *, keep: int, dies_with_parent: bool = False) -> None:
    """Become the program. Never returns normally: raises EngineError or OSError when a step is refused.

    `standard` becomes descriptors 0, 1 and 2; `keep` stays open until the program is executed (it is close-on-exec).
    """
    os.umask(0o022)
    _take_descriptors(payload, standard)
    close_from(3, (keep,))
    reset_signals()
    _set_limits(payload.limits)
    _drop_privileges(payload)
    if dies_with_parent:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # changing credentials has reset it
    _change_folder(payload.working_dir)
    _execute(payload.command, payload.environment)


def _take_descriptors(payload: Payload, standard: tuple[int, ...]) -> None:
    if payload.terminal:
        terminals.make_controlling(standard[0])
        return
    os.setsid()
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
        try:
            os.fchown(number, payload.user.uid, -1)  # so that /dev/stderr can be opened by its user
        except OSError:
            continue


def _set_limits(limits: tuple[tuple[int, int, int], ...]) -> None:
    for number, soft, hard in limits:
        try:
            resource.setrlimit(number, (soft, hard))
        except (OSError, ValueError) as error:
            raise EngineError(f"error setting rlimit {number} to {soft}:{hard}: {error}") from error


def _drop_privileges(payload: Payload) -> None:
    """Filter before capabilities: without no_new_privs, loading a filter needs CAP_SYS_ADMIN (seccomp(2))."""
    if payload.no_new_privileges:
        prctl(PR_SET_NO_NEW_PRIVS, 1)
    for program in payload.filters:
        install_filter(program)
    capabilities.limit_bounding_set(payload.capabilities, payload.last_capability)
    user = payload.user
    if payload.set_groups:
        os.setgroups(user.groups)
    try:
        os.setresgid(user.gid, user.gid, user.gid)
        os.setresuid(user.uid, user.uid, user.uid)
    except OSError as error:
        raise EngineError(
            f"user {user.uid}:{user.gid} does not exist here: this container has one id only",
            hint="give yourself subordinate ids in /etc/subuid and /etc/subgid",
        ) from error
    held = payload.capabilities if user.uid == 0 else 0
    capabilities.set_capabilities(effective=held, permitted=held)
    prctl(PR_SET_DUMPABLE, 0)


def _change_folder(path: str) -> None:
    """Enter the working folder; a folder outside the root (a leaked descriptor) is refused (CVE-2024-21626)."""
    try:
        os.chdir(path)
    except OSError as error:
        raise EngineError(f"chdir to cwd (`{path}`): {reason_of(error)}", exit_code=126) from error
    if not os.getcwd().startswith("/"):
        raise EngineError(f"working folder `{path}` lies outside the container")


def _execute(command: tuple[str, ...], environment: dict[str, str]) -> None:
    if not command or not command[0]:
        raise CommandNotFoundError("no command specified")
    name = command[0]
    try:
        os.execve(_find_program(name, environment.get("PATH", "")), command, environment)
    except FileNotFoundError as error:
        raise CommandNotFoundError(f'exec: "{name}": no such file or directory') from error
    except OSError as error:
        reason = "exec format error" if error.errno == errno.ENOEXEC else reason_of(error)
        raise CommandNotExecutableError(f'exec: "{name}": {reason}') from error


def _find_program(name: str, search_path: str) -> str:
    if "/" in name:
        return _require_program(name, name)
    refused = False
    for folder in search_path.split(":"):
        path = os.path.join(folder or ".", name)
        if os.path.isfile(path):
            if os.access(path, os.X_OK):
                return path
            refused = True
    if refused:
        raise CommandNotExecutableError(f'exec: "{name}": permission denied')
    raise CommandNotFoundError(f'exec: "{name}": executable file not found in $PATH')


def _require_program(path: str, name: str) -> str:
    if os.path.isdir(path):
        raise CommandNotExecutableError(f'exec: "{name}": is a directory')
    return path


def reason_of(error: OSError) -> str:
    """The kernel's words for an error, in lower case as docker writes them."""
    return os.strerror(error.errno or 0).lower()
