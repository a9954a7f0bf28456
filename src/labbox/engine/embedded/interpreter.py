"""A fresh, lean Python inside the new namespaces, executed from a read-only mount of the interpreter.

A container's process could otherwise open the interpreter through /proc/self/exe and overwrite the host's Python
(CVE-2019-5736's class). A file executed from a read-only mount answers EROFS to every later attempt to write it.
"""

import os
import sys

from labbox.linux import mounts
from labbox.linux.idmap import Mode

# Isolated, without site-packages, without bytecode files: nothing of the user's environment decides what runs.
_SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
_OPTIONS = ("-I", "-S", "-B", "-E")


def interpreter_path() -> str:
    """The interpreter's real file."""
    return os.path.realpath(sys.executable)


def needs_protection(path: str, mode: Mode) -> bool:
    """True when a process of the container could open the interpreter for writing, were it not mounted read-only."""
    status = os.stat(path)
    return mode == "root" or status.st_uid == os.geteuid() or os.access(path, os.W_OK)


def protect(path: str) -> None:
    """Mount a file read-only over itself in this mount namespace."""
    tree = mounts.open_tree(path, recursive=False)
    try:
        mounts.mount_setattr(tree, attr_set=mounts.MOUNT_ATTR_RDONLY, recursive=False, path=path)
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            mounts.move_mount(tree, place, path)
        finally:
            os.close(place)
    finally:
        os.close(tree)


def warm_bytecode(modules: tuple[str, ...]) -> None:
    """Import modules whose compiled form is not on disk, so that it is written where Python may.

    The container's own processes never write any, and would otherwise compile themselves at every start: some
    installers leave that to the first import.
    """
    for name in modules:
        folder, _, stem = os.path.join(_SOURCE, *name.split(".")).rpartition("/")
        compiled = os.path.join(folder, "__pycache__", f"{stem}.{sys.implementation.cache_tag}.pyc")
        if not os.path.exists(compiled):
            __import__(name)


def execute_module(path: str, module: str, descriptor: int) -> None:
    """Replace this process by Python calling `module.main(descriptor)`; the descriptor stays open in it."""
    os.set_inheritable(descriptor, True)
    # Nothing in there lives long enough for the collector to find anything.
    program = f"import gc,sys;gc.disable();sys.path.insert(0,{_SOURCE!r});from {module} import main;main({descriptor})"
    os.execve(path, [path, *_OPTIONS, "-c", program], {"LC_ALL": "C.UTF-8"})
