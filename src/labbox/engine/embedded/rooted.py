"""Paths inside a root file system that nobody trusts: resolved by the kernel so that no link leads outside.

Everything goes through openat2(2) with RESOLVE_IN_ROOT: absolute links and `..` stay below the root's descriptor,
magic links of /proc are refused. Used between fork and exec: imports only what stands above.
"""

import errno
import os

from labbox.linux.mounts import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2

_RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS


def open_in_root(root: int, path: str, flags: int = os.O_PATH, mode: int = 0) -> int:
    """Open `path` as a process whose root folder is `root` would; raises OSError."""
    return openat2(root, path.lstrip("/") or ".", flags, resolve=_RESOLVE, mode=mode)


def make_folder(root: int, path: str, mode: int = 0o755) -> int:
    """A descriptor (O_PATH) of the folder `path`, made with its missing parents."""
    try:
        return open_in_root(root, path, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        parent_path, name = split(path)
        parent = make_folder(root, parent_path)
        try:
            _make_entry(parent, name, mode)
        finally:
            os.close(parent)
        return open_in_root(root, path, os.O_PATH | os.O_DIRECTORY)


def make_file(root: int, path: str) -> int:
    """A descriptor (O_PATH) of the file `path`, made empty with its missing parents when it does not exist.

    A dangling link at `path` is followed inside the root, as the image's author meant it.
    """
    try:
        return open_in_root(root, path)
    except FileNotFoundError:
        parent_path, name = split(path)
        os.close(make_folder(root, parent_path))
        os.close(open_in_root(root, os.path.join(parent_path, name), os.O_WRONLY | os.O_CREAT, 0o644))
        return open_in_root(root, path)


def split(path: str) -> tuple[str, str]:
    """Parent and last name of an absolute path without trailing slashes; refuses one that ends in `..`."""
    parent, name = os.path.split(path.rstrip("/"))
    if name in {"", ".", ".."}:
        raise OSError(errno.EINVAL, f"{path}: not a path of a file or folder")
    return parent or "/", name


def _make_entry(parent: int, name: str, mode: int) -> None:
    try:
        os.mkdir(name, mode, dir_fd=parent)
    except FileExistsError:
        # A dangling link of the image stands where the folder should be.
        if os.path.islink(f"/proc/self/fd/{parent}/{name}"):
            raise OSError(errno.ENOTDIR, f"{name}: a link of the image that leads nowhere") from None
