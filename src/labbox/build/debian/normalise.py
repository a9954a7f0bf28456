"""Rules that take chance, clock and place out of a configured system, so that it is the same every time.

Each rule names what it cures. A change of the rules changes images: raise ASSEMBLER_VERSION with it.
"""

import glob
import os
import re
import stat
from collections.abc import Iterable

from labbox.build.debian.java import KEY_STORE, settle_key_store

ASSEMBLER_VERSION = 2

# A database cluster holds random numbers and times: it is made where it is used, with `pg_createcluster VERSION main`.
NO_CLUSTER = "/etc/postgresql-common/createcluster.d/labbox.conf"

# Backups, locks, logs and caches: made while configuring, of no use afterwards, different every time or everywhere.
_REMOVED = (
    "/etc/*-",  # passwd-, shadow-, group-, gshadow-, subuid-, subgid-: backups of shadow's tools
    "/etc/.pwd.lock",
    "/etc/ssh/ssh_host_*",  # keys are made at the first start; the same keys everywhere would be no secret
    "/etc/ssl/private/ssl-cert-snakeoil.key",
    "/etc/ssl/certs/ssl-cert-snakeoil.pem",
    "/etc/mailname",
    "/var/lib/dpkg/*-old",
    "/var/lib/dpkg/lock",
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/triggers/Lock",
    "/var/lib/dpkg/triggers/Unincorp",
    "/var/cache/debconf/*-old",
    "/var/cache/ldconfig/aux-cache",  # holds inode numbers and times
    "/var/cache/man/**/index.db",
    "/var/cache/man/CACHEDIR.TAG",
    "/var/cache/apt/*.bin",
    "/var/cache/apt/archives/lock",
    "/var/lib/apt/lists/*_*",
    "/var/lib/systemd/catalog/database",
    "/var/lib/systemd/random-seed",
    "/var/lib/dbus/machine-id",
    "/var/log/alternatives.log",
    "/var/log/bootstrap.log",
    "/var/log/dpkg.log",
    "/var/log/fontconfig.log",
    "/var/log/apt/*.log",
    "/var/log/apt/*.xz",
    "/var/lib/texmf/web2c/**/*.log",
    "/root/.wget-hsts",
    NO_CLUSTER,
    "/run/adduser",
    "/usr/sbin/policy-rc.d",
)
_EMPTIED = ("/etc/machine-id",)  # an empty file is filled at the first start (machine-id(5))
_DAY_SECONDS = 86400
_BYTECODE_HEADER_BYTES = 16
_WORD = 0xFFFFFFFF
_LAST_UNSTABLE_MINOR = 10  # sets of constants are written in the order of their hashes before Python 3.11
_BYTECODE_NAME = re.compile(r"(.+)\.(cpython-3\d+)(\.opt-[12])?\.pyc")


def normalise_system(epoch: int) -> None:
    """Apply every rule to the system around this process."""
    for pattern in _REMOVED:
        for path in glob.glob(pattern, recursive=True, include_hidden=True):
            if os.path.lexists(path) and not os.path.isdir(path):
                os.unlink(path)
    for path in _EMPTIED:
        if os.path.exists(path) and os.path.getsize(path):
            os.truncate(path, 0)
    drop_access_lists("/var/log")
    settle_key_store(KEY_STORE, epoch)
    limit_password_dates("/etc/shadow", epoch // _DAY_SECONDS)


def drop_access_lists(root: str) -> None:
    """Take POSIX ACLs off folders (systemd's on /var/log/journal): they name host ids, and images do not carry them."""
    for folder, _, _ in os.walk(root):
        for name in os.listxattr(folder):
            if name.startswith("system.posix_acl_"):
                os.removexattr(folder, name)


def limit_password_dates(path: str, newest_day: int) -> None:
    """Take back the day of the last change in shadow(5) where it is after the epoch."""
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    limited = [_limit_date(line, newest_day) for line in lines]
    if limited != lines:
        with open(path, "r+", encoding="utf-8") as file:
            file.truncate()
            file.write("".join(f"{line}\n" for line in limited))


def clamp_times(root: str, epoch: int) -> None:
    """Let no file or link be younger than the epoch, and give every folder exactly the epoch.

    Caches that note a folder's time (fontconfig's) compare nanoseconds too, so whole seconds are set.
    """
    times = (epoch * 10**9, epoch * 10**9)
    device = os.lstat(root).st_dev
    for folder, folder_names, file_names in os.walk(root):
        for name in file_names + [name for name in folder_names if os.path.islink(os.path.join(folder, name))]:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode) and (status.st_uid or status.st_gid):
                os.lchown(path, 0, 0)  # a link's owner means nothing, and with one id it cannot be noted
            if status.st_mtime_ns > times[1]:
                os.utime(path, ns=times, follow_symlinks=False)
        os.utime(folder, ns=times)
        if folder == root:  # only there other file systems are mounted
            folder_names[:] = [name for name in folder_names if os.lstat(os.path.join(root, name)).st_dev == device]


def settle_folder_times(root: str, epoch: int) -> None:
    """Give every folder exactly the epoch, before caches note their times; files have theirs from their packages."""
    times = (epoch * 10**9, epoch * 10**9)
    device = os.lstat(root).st_dev
    for folder, folder_names, _ in os.walk(root):
        os.utime(folder, ns=times)
        if folder == root:  # only there other file systems are mounted
            folder_names[:] = [name for name in folder_names if os.lstat(os.path.join(root, name)).st_dev == device]


def rewrite_bytecode(folders: Iterable[str], epoch: int) -> dict[str, list[str]]:
    """Make compiled Python files name their source's time instead of its hash (PEP 552), as they do outside of builds.

    SOURCE_DATE_EPOCH makes py_compile write hashes, with which every import reads the source again. Returns what must
    be compiled again, as its compiler does not give the same bytes each time: interpreter (`python3.9`) → sources.
    """
    unstable: dict[str, list[str]] = {}
    for folder in folders:
        for name in os.listdir(folder):
            match = _BYTECODE_NAME.fullmatch(name)
            path = os.path.join(folder, name)
            if match is None or os.stat(path).st_mtime <= epoch:  # not compiled just now
                continue
            minor = int(match[2].removeprefix("cpython-3"))
            source = os.path.join(os.path.dirname(folder), f"{match[1]}.py")
            if not os.path.exists(source):
                continue
            if minor > _LAST_UNSTABLE_MINOR:
                _rewrite_header(path, source, epoch)
            else:
                unstable.setdefault(f"python3.{minor}", []).append(source)
    return unstable


def find_bytecode_folders(root: str) -> list[str]:
    """Every `__pycache__` below a folder."""
    return sorted(folder for folder, _, _ in os.walk(root) if folder.endswith("/__pycache__"))


def _rewrite_header(path: str, source: str, epoch: int) -> None:
    status = os.stat(source)
    with open(path, "rb") as file:
        header = file.read(_BYTECODE_HEADER_BYTES)
    mtime, size = min(int(status.st_mtime), epoch) & _WORD, status.st_size & _WORD
    wanted = header[:4] + bytes(4) + mtime.to_bytes(4, "little") + size.to_bytes(4, "little")
    if len(header) == _BYTECODE_HEADER_BYTES and header != wanted:
        with open(path, "r+b") as file:
            file.write(wanted)


def _limit_date(line: str, newest_day: int) -> str:
    fields = line.split(":")
    if len(fields) > 2 and fields[2].isdigit() and int(fields[2]) > newest_day:
        fields[2] = str(newest_day)
    return ":".join(fields)
