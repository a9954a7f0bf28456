"""Paths inside a folder that stands for a root: resolved without ever leaving it, whatever its symlinks say."""

import fnmatch
import os
import re
import stat
from collections.abc import Iterator
from typing import NamedTuple

from labbox.errors import ArchiveError
from labbox.linux.mounts import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2

_MAX_SYMLINKS = 40
_MAGIC = re.compile(r"[*?\[]")


def resolve_inside(root: int, path: str) -> str:
    """The path (relative, empty: the root) without symlinks, as far as it exists; the rest is kept as it is."""
    pending = path.split("/")[::-1]
    real: list[str] = []
    links = 0
    while pending:
        name = pending.pop()
        if name in ("", "."):
            continue
        if name == "..":
            real = real[:-1]
            continue
        kind = kind_of(root, "/".join([*real, name]))
        if kind == stat.S_IFLNK:
            links += 1
            if links > _MAX_SYMLINKS:
                raise ArchiveError(f"`{path}` leads through too many symlinks")
            target = read_link(root, "/".join([*real, name]))
            real = [] if target.startswith("/") else real
            pending.extend(target.split("/")[::-1])
            continue
        real.append(name)
    return "/".join(real)


def kind_of(root: int, path: str) -> int:
    """The kind (S_IFDIR and so on) of what is at a path whose folders are no symlinks; 0 for nothing."""
    if not path:
        return stat.S_IFDIR
    try:
        descriptor = openat2(root, path, os.O_PATH | os.O_NOFOLLOW, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    try:
        return stat.S_IFMT(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)


def read_link(root: int, path: str) -> str:
    """Where a symlink points."""
    descriptor = openat2(root, path, os.O_PATH | os.O_NOFOLLOW, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    try:
        return os.readlink("", dir_fd=descriptor)
    finally:
        os.close(descriptor)


def open_inside(root: int, path: str, flags: int) -> int:
    """Open what a path means inside the root."""
    return openat2(root, path or ".", flags, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)


def read_small_file(root: int, path: str) -> str:
    """The text of a regular file inside the root; empty when there is none."""
    try:
        descriptor = open_inside(root, path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return ""
    with open(descriptor, encoding="utf-8", errors="surrogateescape") as file:
        return file.read(16 << 20) if stat.S_ISREG(os.fstat(descriptor).st_mode) else ""


class Match(NamedTuple):
    """What a source means: its path as found, and the path of what that is once symlinks are followed."""

    name: str
    real: str


def find_matches(root: int, pattern: str) -> list[Match]:
    """What a source with or without wildcards means, sorted; both paths are relative."""
    cleaned: list[str] = []
    for name in pattern.split("/"):
        if name not in ("", "."):
            cleaned = cleaned[:-1] if name == ".." else [*cleaned, name]  # never above the root
    found = _glob(root, "", cleaned) if is_pattern(pattern) else ["/".join(cleaned)]
    matches = [Match(path, resolve_inside(root, path)) for path in sorted(found)]
    return [match for match in matches if kind_of(root, match.real)]


def is_pattern(source: str) -> bool:
    """True when a source has wildcards."""
    return bool(_MAGIC.search(source))


def _glob(root: int, folder: str, names: list[str]) -> Iterator[str]:
    if not names:
        yield folder
        return
    name, rest = names[0], names[1:]
    for found in _names_like(root, folder, name):
        path = resolve_inside(root, f"{folder}/{found}") if rest else f"{folder}/{found}".lstrip("/")
        if kind_of(root, path) and (not rest or kind_of(root, path) == stat.S_IFDIR):
            yield from _glob(root, path, rest)


def _names_like(root: int, folder: str, name: str) -> list[str]:
    if not _MAGIC.search(name):
        return [name.replace("\\", "")]
    descriptor = open_inside(root, folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        names = os.listdir(descriptor)
    finally:
        os.close(descriptor)
    expression = re.compile(fnmatch.translate(name.replace("[!", "[\\!").replace("[^", "[!")), re.DOTALL)
    return sorted(found for found in names if expression.match(found))
