"""Mounts by the old and the new interface of the kernel (mount(2), open_tree(2), mount_setattr(2), openat2(2))."""

import ctypes
import os
import struct

from labbox.linux import libc

# linux/mount.h
MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000
MS_SHARED = 0x100000
MNT_DETACH = 0x2
UMOUNT_NOFOLLOW = 0x8

OPEN_TREE_CLONE = 0x1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC
AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
MOVE_MOUNT_F_EMPTY_PATH = 0x4
MOVE_MOUNT_T_EMPTY_PATH = 0x40

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR_IDMAP = 0x100000

# linux/openat2.h
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

_mount = libc.declare("mount", ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_umount2 = libc.declare("umount2", ctypes.c_char_p, ctypes.c_int)
_PAGE = 4096


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    """Mount a file system of `kind` at `target` (mount(2)).

    The kernel cuts options at one page without a word, so longer ones are refused here with OSError(E2BIG).
    """
    data = os.fsencode(options)
    if len(data) >= _PAGE:
        raise OSError(7, f"mount {target}: options of {len(data)} bytes do not fit a page of {_PAGE}")
    if _mount(os.fsencode(source), os.fsencode(target), kind.encode(), flags, data) == -1:
        libc.raise_errno("mount", target)


def set_propagation(target: str, flags: int) -> None:
    """Change how mounts below `target` travel to other namespaces (mount_namespaces(7))."""
    if _mount(None, os.fsencode(target), None, flags, None) == -1:
        libc.raise_errno("mount", target)


def umount(target: str, flags: int = MNT_DETACH) -> None:
    """Take a mount away (umount2(2))."""
    if _umount2(os.fsencode(target), flags) == -1:
        libc.raise_errno("umount", target)


def pivot_root(new_root: str, old_root: str) -> None:
    """Exchange the root of this mount namespace (pivot_root(2))."""
    libc.syscall("pivot_root", os.fsencode(new_root), os.fsencode(old_root), path=new_root)


def open_tree(path: str, *, recursive: bool, folder: int = AT_FDCWD) -> int:
    """A detached copy of the mounts at `path`, as a descriptor (open_tree(2), OPEN_TREE_CLONE)."""
    flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (AT_RECURSIVE if recursive else 0) | (0 if path else AT_EMPTY_PATH)
    return libc.syscall("open_tree", folder, os.fsencode(path), flags, path=path)


def move_mount(tree: int, target: int, path: str = "") -> None:
    """Attach a detached mount at the place that the descriptor `target` stands for (move_mount(2))."""
    flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
    libc.syscall("move_mount", tree, b"", target, b"", flags, path=path)


def mount_setattr(
    tree: int, *, attr_set: int = 0, attr_clr: int = 0, user_namespace: int = 0, recursive: bool = True, path: str = ""
) -> None:
    """Change attributes of a detached mount, recursively where asked (mount_setattr(2), Linux 5.12)."""
    attributes = ctypes.create_string_buffer(struct.pack("=QQQQ", attr_set, attr_clr, 0, user_namespace), 32)
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    libc.syscall("mount_setattr", tree, b"", flags, attributes, 32, path=path)


def openat2(folder: int, path: str, flags: int, *, resolve: int, mode: int = 0) -> int:
    """Open `path` below a folder with limits on how it resolves (openat2(2), Linux 5.6)."""
    how = ctypes.create_string_buffer(struct.pack("=QQQ", flags | os.O_CLOEXEC, mode, resolve), 24)
    return libc.syscall("openat2", folder, os.fsencode(path), how, 24, path=path)
