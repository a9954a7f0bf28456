"""Users of a container as its own /etc/passwd and /etc/group name them (passwd(5), group(5)).

Never through the C library: between fork and exec, in the container's root, that would load modules of the image.
"""

import os
import stat

from labbox.errors import EngineError
from labbox.lightweight_typing import NamedTuple

_MAXIMUM_ID = 2**32 - 2
_LARGEST_FILE = 16 << 20


class ContainerUser(NamedTuple):
    """Who a process in the container runs as."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


class _Account(NamedTuple):
    name: str
    uid: int
    gid: int
    home: str


class _Group(NamedTuple):
    name: str
    gid: int
    members: tuple[str, ...]


def find_user(user: str, group_add: tuple[str, ...], *, root: str = "/") -> ContainerUser:
    """Resolve docker's USER[:GROUP] (names or numbers; empty is root) in the files below `root`.

    Raises EngineError with docker's words when a name has no entry or a number is out of range.
    """
    name, separator, group_name = user.partition(":")
    accounts = [entry for line in _read_lines(root, "etc/passwd") if (entry := _parse_account(line))]
    groups = [group for line in _read_lines(root, "etc/group") if (group := _parse_group(line))]
    account = _find_account(name or "0", accounts)
    if separator and group_name:
        gid, memberships = _find_gid(group_name, groups), []
    else:
        gid = account.gid
        memberships = [group.gid for group in groups if account.name and account.name in group.members]
    added = [_find_gid(added_name, groups) for added_name in group_add]
    return ContainerUser(
        uid=account.uid, gid=gid, groups=tuple(dict.fromkeys([gid, *memberships, *added])), home=account.home or "/"
    )


def _find_account(name: str, accounts: list[_Account]) -> _Account:
    for account in accounts:
        if account.name == name:
            return account
    uid = _parse_id(name, f"unable to find user {name}: no matching entries in passwd file")
    for account in accounts:
        if account.uid == uid:
            return account
    return _Account(name="", uid=uid, gid=0, home="/")


def _find_gid(name: str, groups: list[_Group]) -> int:
    for group in groups:
        if group.name == name:
            return group.gid
    return _parse_id(name, f"unable to find group {name}: no matching entries in group file")


def _parse_id(text: str, message: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise EngineError(message)
    number = _read_id(text)
    if number is None:
        raise EngineError(f"uids and gids must be in range 0-{_MAXIMUM_ID}, not `{text[:40]}`")
    return number


def _read_id(text: str) -> int | None:
    """The number that a text of digits means; None when it is no id."""
    if not (text.isascii() and text.isdigit()) or len(text.lstrip("0")) > len(str(_MAXIMUM_ID)):
        return None
    number = int(text[-len(str(_MAXIMUM_ID)) :])
    return number if number <= _MAXIMUM_ID else None


def _read_lines(root: str, path: str) -> list[str]:
    """Lines of a regular file of the container; nothing for a missing, special or oversized one."""
    try:
        descriptor = os.open(os.path.join(root, path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return []
        return os.read(descriptor, _LARGEST_FILE).decode("utf-8", "surrogateescape").split("\n")
    finally:
        os.close(descriptor)


def _parse_account(line: str) -> _Account | None:
    """An entry of passwd(5); a line that is none counts as absent, as for the C library."""
    fields = line.split(":")
    if len(fields) < 6:
        return None
    uid, gid = _read_id(fields[2]), _read_id(fields[3])
    return None if uid is None or gid is None else _Account(fields[0], uid, gid, fields[5])


def _parse_group(line: str) -> _Group | None:
    """An entry of group(5)."""
    fields = line.split(":")
    if len(fields) < 4:
        return None
    gid = _read_id(fields[2])
    return None if gid is None else _Group(fields[0], gid, tuple(fields[3].split(",")))
