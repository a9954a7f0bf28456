"""Python sources compiled by an interpreter of the system around this process, the same bytes every time.

marshal writes what modules share differently when they were compiled in another order (cpython issues 78274, 98819), so
sources are dealt into portions by their paths and sizes alone, and each portion is compiled in order by a fresh
interpreter with a fixed hash seed.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from labbox.errors import PackageError
from labbox.linux import capabilities
from labbox.linux.process import fork, reset_signals
from labbox.lock.lab import LockedInterpreter

# The time of every file of a layer: the first that zip archives can say. Python 2.7 compares it with its source's.
LAYER_TIME = 315532800
_PORTION_FILES = 1000
_PORTION_BYTES = 4 << 20
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}
_OPTIONS = ("-s", "-S", "-B", "-W", "ignore")  # not -I: it would forget the hash seed
_NOT_FOUND = 127

# Arguments: where sources are, where compiled files go; standard input: paths, separated by zero bytes.
_PROGRAM = """
import sys
del sys.path[0]
import importlib.util, marshal, os
sources, compiled = map(os.fsencode, sys.argv[1:])
head = importlib.util.MAGIC_NUMBER + b"\\1\\0\\0\\0"
suffix = os.fsencode("." + sys.implementation.cache_tag + ".pyc")
folders = set()
for path in sys.stdin.buffer.read().split(b"\\0"):
    with open(sources + path, "rb") as file:
        source = file.read()
    try:
        code = compile(source, os.fsdecode(path), "exec", dont_inherit=True)
        content = head + importlib.util.source_hash(source) + marshal.dumps(code)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        continue
    folder, name = os.path.split(compiled + path)
    folder += b"/__pycache__"
    if folder not in folders:
        os.makedirs(folder, exist_ok=True)
        folders.add(folder)
    with open(folder + b"/" + name[:-3] + suffix, "wb") as file:
        file.write(content)
"""
_PROGRAM_27 = f"""
import sys
del sys.path[0]
import imp, marshal, os, struct
sources, compiled = sys.argv[1:]
head = imp.get_magic() + struct.pack("<L", {LAYER_TIME})
folders = set()
for path in sys.stdin.read().split("\\0"):
    with open(sources + path, "U") as file:
        source = file.read()
    try:
        content = head + marshal.dumps(compile(source, path, "exec", 0, True))
    except (SyntaxError, ValueError, TypeError, OverflowError, RuntimeError, MemoryError):
        continue
    folder = os.path.dirname(compiled + path)
    if folder not in folders:
        if not os.path.isdir(folder):
            os.makedirs(folder)
        folders.add(folder)
    with open(compiled + path + "c", "wb") as file:
        file.write(content)
"""


class Portion(NamedTuple):
    """Sources (absolute paths in the lab, sorted) that one process compiles, and where they and the results are."""

    sources: str
    compiled: str
    paths: tuple[bytes, ...]
    size_bytes: int


def deal_portions(files: Sequence[tuple[bytes, int]], sources: str, compiled: str) -> Iterator[Portion]:
    """Portions of files (path, size), which are sorted by path; the same files always give the same portions."""
    paths: list[bytes] = []
    size_bytes = 0
    for path, size in files:
        if paths and (len(paths) == _PORTION_FILES or size_bytes + size > _PORTION_BYTES):
            yield Portion(sources, compiled, tuple(paths), size_bytes)
            paths, size_bytes = [], 0
        paths.append(path)
        size_bytes += size
    if paths:
        yield Portion(sources, compiled, tuple(paths), size_bytes)


def is_supported(interpreter: LockedInterpreter) -> bool:
    """True when the files that this Python writes can be the same every time: 2.7, and from 3.7 on (PEP 552)."""
    major, minor = (int(part) for part in interpreter.language.split("."))
    return (major, minor) == (2, 7) or (major, minor) >= (3, 7)


class Compiler:
    """Runs a Python of the system around this process; make it while modules can still be loaded."""

    def __init__(self, interpreter: LockedInterpreter) -> None:
        self._path = interpreter.path
        self._program = _PROGRAM_27 if interpreter.language == "2.7" else _PROGRAM
        self._last_capability = capabilities.last_capability()

    def compile(self, portion: Portion) -> int:
        """Compile a portion, leaving out what is not Python of this version; the number of sources looked at.

        A source that makes the interpreter itself fail is left out too: its portion is compiled in halves.
        """
        status = self._run(portion)
        if status == _NOT_FOUND:
            raise PackageError(f"`{self._path}` cannot be run in the lab's system")
        if status and len(portion.paths) == 1:
            return 1
        if status:
            middle = len(portion.paths) // 2
            for half in (portion.paths[:middle], portion.paths[middle:]):
                self.compile(portion._replace(paths=half))
        return len(portion.paths)

    def _run(self, portion: Portion) -> int:
        listing = os.memfd_create("sources", os.MFD_CLOEXEC)
        try:
            os.write(listing, b"\0".join(portion.paths))
            os.lseek(listing, 0, os.SEEK_SET)
            child = fork()
            if child == 0:
                self._execute(portion, listing)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        finally:
            os.close(listing)

    def _execute(self, portion: Portion, listing: int) -> None:
        """In the child: no capabilities, no output, then the interpreter. Does not return."""
        try:
            reset_signals()
            capabilities.limit_bounding_set(0, self._last_capability)
            os.chdir("/")
            nothing = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
            moved = [fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, 16) for source in (listing, nothing, nothing)]
            for number, source in enumerate(moved):
                os.dup2(source, number, inheritable=True)
            arguments = [self._path, *_OPTIONS, "-c", self._program, portion.sources, portion.compiled]
            os.execve(self._path, arguments, _ENVIRONMENT)
        finally:
            os._exit(_NOT_FOUND)
