"""The first use of a volume: an empty one receives what the image has at that place, as docker does."""

import fcntl
import os
import stat


def fill_when_empty(source: int, volume: str) -> None:
    """Copy the content and the attributes of the folder behind descriptor `source` into an empty volume folder."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    # Of two containers that start at once the second waits. The lock lies outside of what containers can reach.
    lock, target = os.open(os.path.dirname(volume), flags), os.open(volume, flags)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.listdir(target) or _is_bare(source):
            return
        _copy_attributes(source, target)
        _copy_entries(source, target)
    finally:
        os.close(target)
        os.close(lock)


def _is_bare(folder: int) -> bool:
    """True for an empty folder as a missing mount point is made: the image has nothing to say about the place."""
    status = os.fstat(folder)
    ordinary = (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, 0, 0o755)
    return (
        ordinary
        and not os.listdir(folder)
        and not any(name.startswith("user.labbox.") for name in os.listxattr(folder))
    )


def _copy_entries(source: int, target: int) -> None:
    device = os.fstat(source).st_dev
    for name in os.listdir(source):
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            os.mkdir(name, dir_fd=target)
            if status.st_dev == device:  # else something is mounted there already: not the image's
                _copy_folder(source, target, name)
        elif stat.S_ISREG(status.st_mode):
            _copy_file(source, target, name)
        elif stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
            os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)


def _copy_folder(source: int, target: int, name: str) -> None:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    inner_source = os.open(name, flags, dir_fd=source)
    inner_target = os.open(name, flags, dir_fd=target)
    try:
        _copy_entries(inner_source, inner_target)
        _copy_attributes(inner_source, inner_target)
    finally:
        os.close(inner_source)
        os.close(inner_target)


def _copy_file(source: int, target: int, name: str) -> None:
    reader = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
    writer = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=target)
    try:
        while os.sendfile(writer, reader, None, 1 << 30):
            pass
        _copy_attributes(reader, writer)
    finally:
        os.close(reader)
        os.close(writer)


def _copy_attributes(source: int, target: int) -> None:
    """Owner, mode, extended attributes and times, in the order that lets each of them stay."""
    status = os.fstat(source)
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    for name in os.listxattr(source):
        if name.startswith("user.") and not name.startswith("user.overlay."):
            os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
