"""Where an archive of images is written to: one tar stream, or a folder of files."""

import errno
import os
from collections.abc import Callable
from typing import Protocol

from labbox.errors import ArchiveError
from labbox.files import remove_tree
from labbox.oci.canonical_tar import BLOCK_BYTES, END, TarEntry, encode_entry

_COPY_BYTES = 1 << 30
_READ_BYTES = 1 << 20
# Writes a file's content to a descriptor, and returns how many bytes it has written.
WriteContent = Callable[[int], int]


class Sink(Protocol):
    """Takes the files of an archive one after another."""

    def add(self, name: str, size_bytes: int, write: WriteContent) -> None:
        """Add a file whose length is known beforehand; raises ArchiveError when `write` gives another length."""
        ...


class TarSink:
    """Writes a tar archive to a descriptor, which may be a pipe; nothing is kept on the way."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def add(self, name: str, size_bytes: int, write: WriteContent) -> None:
        """Add a file: its header, its content as it comes, the padding."""
        header = encode_entry(TarEntry(name.encode(), "file", 0o644, size_bytes=size_bytes))
        write_all(self._descriptor, header)
        _check_length(name, write(self._descriptor), size_bytes)
        write_all(self._descriptor, bytes(-size_bytes % BLOCK_BYTES))

    def close(self) -> None:
        """End the archive."""
        write_all(self._descriptor, END)


class FolderSink:
    """Writes files below a folder, each whole or not at all."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def add(self, name: str, size_bytes: int, write: WriteContent) -> None:
        """Add a file."""
        path = os.path.join(self._folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        partial = f"{path}.{os.getpid()}.tmp"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            _check_length(name, write(descriptor), size_bytes)
            os.rename(partial, path)
        except BaseException:
            remove_tree(partial)
            raise
        finally:
            os.close(descriptor)


def write_all(descriptor: int, data: bytes | memoryview) -> int:
    """Write all bytes; how many these are."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    return len(data)


def copy_file(source: int, target: int) -> int:
    """Copy a file to a descriptor of any kind, inside the kernel where it can; how many bytes there were."""
    copied = 0
    try:
        while count := os.sendfile(target, source, copied, _COPY_BYTES):
            copied += count
    except OSError as error:
        if error.errno != errno.EINVAL or copied:  # a target opened for appending (sendfile(2))
            raise
        while data := os.pread(source, _READ_BYTES, copied):
            copied += write_all(target, data)
    return copied


def _check_length(name: str, written: int, promised: int) -> None:
    if written != promised:
        raise ArchiveError(
            f"`{name}` has {written} bytes, not {promised}", hint="check the store: labbox doctor --store"
        )
