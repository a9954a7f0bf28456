"""Ordinary users made for one test session by root, and removed at its end."""

import os
import pwd
import re
import subprocess
from typing import NamedTuple

from harness.waiting import wait_until

_NAME = re.compile(r"lbt(\d+)[a-z]")


class Person(NamedTuple):
    """A user of this machine."""

    name: str
    uid: int
    gid: int


def current_person() -> Person:
    """Who runs the tests."""
    return Person(pwd.getpwuid(os.getuid()).pw_name, os.getuid(), os.getgid())


def make_person(letter: str, *, subordinate_ids: bool) -> Person:
    """A new user, named after this test run's process, with or without subordinate ids."""
    name = f"lbt{os.getpid()}{letter}"
    none = [] if subordinate_ids else ["-K", "SUB_UID_COUNT=0", "-K", "SUB_GID_COUNT=0"]
    _change_users("useradd", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/bin/sh", *none, name)
    entry = pwd.getpwnam(name)
    if has_subordinate_ids(name) != subordinate_ids:
        raise AssertionError(f"useradd gave {name} subordinate ids, or none, against what it was asked")
    return Person(name, entry.pw_uid, entry.pw_gid)


def remove_person(person: Person) -> None:
    """Remove a user made by `make_person`."""
    _change_users("userdel", "--force", person.name)


def remove_forgotten_people() -> None:
    """Remove the users of sessions that were killed."""
    for entry in pwd.getpwall():
        match = _NAME.fullmatch(entry.pw_name)
        if match and not os.path.exists(f"/proc/{match[1]}"):
            _change_users("userdel", "--force", entry.pw_name)


def has_subordinate_ids(name: str) -> bool:
    """True when /etc/subuid and /etc/subgid give the user ids."""
    return all(_has_entry(path, name) for path in ("/etc/subuid", "/etc/subgid"))


def _has_entry(path: str, name: str) -> bool:
    try:
        with open(path, encoding="utf-8") as file:
            return any(line.startswith(f"{name}:") for line in file)
    except FileNotFoundError:
        return False


def _change_users(*command: str) -> None:
    """Run a shadow-utils program, again while another one holds the lock of /etc/passwd (exit code 1 or 10)."""
    last = subprocess.CompletedProcess[str](command, 1)

    def succeeds() -> bool:
        nonlocal last
        last = subprocess.run(command, check=False, capture_output=True, text=True)
        return last.returncode == 0 or "lock" not in last.stderr

    wait_until(succeeds, what=" ".join(command))
    # userdel --force ends with 12 where the mail spool or home is missing
    assert last.returncode in (0, 12), f"{' '.join(command)}: {last.stderr}"
