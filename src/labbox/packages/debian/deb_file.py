"""Debian package files: an ar archive of a control tar and a data tar (deb(5)), read without dpkg.

Reading is by position, so one descriptor may be read from several processes at once.
"""

import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import IO, Any, cast

from labbox.errors import PackageError, UnsupportedError
from labbox.packages.debian.control import parse_paragraph

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER_BYTES = 60
_READ_BYTES = 1 << 18
_MAXIMUM_CONTROL_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DebControl:
    """What a package says of itself: its fields, and its other control files (scripts, conffiles, triggers) by name."""

    fields: Mapping[str, str]
    text: str
    files: Mapping[str, bytes]

    @property
    def conffiles(self) -> tuple[str, ...]:
        """Paths of the configuration files that dpkg guards (deb-conffiles(5))."""
        return tuple(line for line in self._conffile_lines() if line.startswith("/"))

    @property
    def removed_conffiles(self) -> tuple[str, ...]:
        """Paths of configuration files that the package has no more and wants removed."""
        lines = (line.split() for line in self._conffile_lines())
        return tuple(words[1] for words in lines if len(words) == 2 and words[0] == "remove-on-upgrade")

    def _conffile_lines(self) -> list[str]:
        return [line.strip() for line in self.files.get("conffiles", b"").decode().splitlines()]


@dataclass(frozen=True, slots=True, kw_only=True)
class DebFile:
    """An open package file and where its members lie: name → (offset, size)."""

    descriptor: int
    where: str
    members: Mapping[str, tuple[int, int]]

    def read_control(self) -> DebControl:
        """The control part, whole."""
        files: dict[str, bytes] = {}
        with self._open_tar("control.tar") as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is not None and member.size <= _MAXIMUM_CONTROL_BYTES:
                    files[member.name.removeprefix("./")] = content.read()
        text = files.pop("control", b"").decode()
        return DebControl(fields=parse_paragraph(text), text=text, files=files)

    @contextmanager
    def open_data(self) -> Iterator[tarfile.TarFile]:
        """The files of the package, to be read once from start to end."""
        with self._open_tar("data.tar") as tar:
            yield tar

    @contextmanager
    def _open_tar(self, prefix: str) -> Iterator[tarfile.TarFile]:
        for name, (offset, size) in self.members.items():
            if name.startswith(prefix):
                try:
                    with (
                        _decompress(_Slice(self.descriptor, offset, size), name, self.where) as stream,
                        tarfile.open(fileobj=stream, mode="r|", bufsize=_READ_BYTES) as tar,
                    ):
                        yield tar
                except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
                    raise PackageError(f"package file `{self.where}` is damaged: {error}") from error
                return
        raise PackageError(f"package file `{self.where}` has no {prefix}")


def open_deb(descriptor: int, where: str) -> DebFile:
    """The package file behind a descriptor; raises PackageError when it is none."""
    if os.pread(descriptor, len(_AR_MAGIC), 0) != _AR_MAGIC:
        raise PackageError(f"`{where}` is not a Debian package file")
    members = {}
    position, end = len(_AR_MAGIC), os.fstat(descriptor).st_size
    while position + _AR_HEADER_BYTES <= end:
        header = os.pread(descriptor, _AR_HEADER_BYTES, position)
        try:
            size = int(header[48:58])
        except ValueError as error:
            raise PackageError(f"package file `{where}` is damaged at byte {position}") from error
        position += _AR_HEADER_BYTES
        members[header[:16].decode("ascii", "replace").strip().rstrip("/")] = (position, size)
        position += size + size % 2  # members start at even offsets
    return DebFile(descriptor=descriptor, where=where, members=members)


class _Slice(io.RawIOBase):
    """A range of a file as a stream of its own."""

    def __init__(self, descriptor: int, offset: int, size: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._position = offset
        self._end = offset + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        view = view[: max(self._end - self._position, 0)]
        count = os.preadv(self._descriptor, [view], self._position) if view else 0
        self._position += count
        return count


def _decompress(raw: _Slice, name: str, where: str) -> IO[bytes]:
    buffered = io.BufferedReader(raw, _READ_BYTES)
    match name.rpartition(".")[2]:
        case "tar":
            return buffered
        case "xz" | "lzma":
            return cast("IO[bytes]", lzma.LZMAFile(buffered))
        case "gz":
            return cast("IO[bytes]", gzip.GzipFile(fileobj=buffered))
        case "zst":
            return _open_zstd(buffered, where)
    raise UnsupportedError(f"package file `{where}` is compressed in a way labbox does not know: `{name}`")


def _open_zstd(stream: IO[bytes], where: str) -> IO[bytes]:
    """Zstandard came into the standard library with Python 3.14 (PEP 784); `backports.zstd` has it for older ones."""
    for module_name in ("compression.zstd", "backports.zstd"):
        try:
            module: Any = import_module(module_name)
        except ImportError:
            continue
        opened: IO[bytes] = module.open(stream)
        return opened
    raise UnsupportedError(
        f"package file `{where}` is compressed with zstd, which this Python cannot read",
        hint="Use Python 3.14, or install the package `backports.zstd`.",
    )
