"""Files of an archive taken into the store as blobs, before anybody believes what they say.

Names in an archive are only ever compared, never used as paths. What is named by a digest has it, or is refused.
"""

import io
import os
import stat
from collections.abc import Iterable, Sequence
from typing import BinaryIO, NamedTuple, Protocol

from labbox.errors import ArchiveError, UsageError
from labbox.oci.canonical_tar import TarEntry
from labbox.oci.digest import Digest, parse_digest
from labbox.oci.document import MAX_DOCUMENT_BYTES
from labbox.oci.tar_reader import TarReader
from labbox.store.blobs import BlobStore
from labbox.store.decompress import open_decompressed
from labbox.store.layers import LayerStore

_PIECE_BYTES = 1 << 20
_MAX_FILES = 100_000
_MAX_LINKS = 40


class ReceivedFile(NamedTuple):
    """A file by its content; the content is a blob of the store, or a layer that the store can write again."""

    digest: Digest
    size_bytes: int


class Archive(Protocol):
    """Finds the files of an archive by their names."""

    blobs: BlobStore

    def find(self, name: str) -> ReceivedFile | None:
        """The file of that name, None when there is none; raises DigestMismatchError when its name lies."""
        ...


def read_document(archive: Archive, name: str) -> bytes | None:
    """A small file's bytes, None when there is none; raises ArchiveError for a large one."""
    found = archive.find(name)
    if found is None:
        return None
    if found.size_bytes > MAX_DOCUMENT_BYTES:
        raise ArchiveError(f"{name} is too large: {found.size_bytes} bytes, at most {MAX_DOCUMENT_BYTES} are read")
    return archive.blobs.read(found.digest)


class FolderArchive:
    """An OCI layout that lies unpacked in a folder; files are taken in when they are asked for."""

    def __init__(self, folder: str, blobs: BlobStore) -> None:
        self.blobs = blobs
        self._folder = folder

    def find(self, name: str) -> ReceivedFile | None:
        """The file of that name."""
        expected = digest_of_name(name)
        if expected is None and name not in ("index.json", "oci-layout"):
            return None
        if expected is not None and self.blobs.has(expected):
            return ReceivedFile(expected, self.blobs.size_bytes(expected))
        path = os.path.join(self._folder, name)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ArchiveError(f"`{path}` is no regular file")
            return ReceivedFile(*self.blobs.add_stream(file, expected))


class TarArchive:
    """The files of a tar archive, compressed or not, which may come through a pipe: read once, in its own order."""

    def __init__(self, stream: BinaryIO, blobs: BlobStore, layers: Sequence[LayerStore] = ()) -> None:
        self.blobs = blobs
        self._layers = layers
        self._files: dict[str, ReceivedFile] = {}
        self._links: dict[str, str] = {}
        self._receive(TarReader(io.BufferedReader(open_decompressed(stream), _PIECE_BYTES)))

    def find(self, name: str) -> ReceivedFile | None:
        """The file of that name, through links: older archives hold a layer once and link to it."""
        for _ in range(_MAX_LINKS):
            if name not in self._links:
                return self._files.get(name)
            name = self._links[name]
        raise ArchiveError(f"link `{name}` of the archive leads nowhere")

    def _receive(self, reader: TarReader) -> None:
        for count, entry in enumerate(reader):
            if count >= _MAX_FILES:
                raise ArchiveError(f"the archive has more than {_MAX_FILES} files: no archive of images")
            name = _clean(entry.path)
            if entry.kind == "file":
                self._files[name] = self._take(reader, name, entry)
                self._links.pop(name, None)
            elif entry.kind in ("symlink", "hardlink"):
                self._files.pop(name, None)
                self._links[name] = _target(name, entry)

    def _take(self, reader: TarReader, name: str, entry: TarEntry) -> ReceivedFile:
        expected = digest_of_name(name)
        if expected is not None and self._has(expected, entry.size_bytes):
            return ReceivedFile(expected, entry.size_bytes)  # what is here has this digest, whatever comes now
        with self.blobs.writer(expected) as writer:
            while data := reader.read(_PIECE_BYTES):
                writer.write(data)
        return ReceivedFile(writer.digest, writer.size_bytes)

    def _has(self, digest: Digest, size_bytes: int) -> bool:
        if self.blobs.has(digest):
            return self.blobs.size_bytes(digest) == size_bytes
        return is_kept_unpacked(digest, self._layers, size_bytes)


def is_kept_unpacked(digest: Digest, layers: Iterable[LayerStore], size_bytes: int | None = None) -> bool:
    """True when this plain tar is an unpacked layer that gives the tar again, byte for byte."""
    for store in layers:
        if store.has(digest):
            record = store.record(digest)
            if record.is_canonical and size_bytes in (None, record.tar_bytes):
                return True
    return False


def digest_of_name(name: str) -> Digest | None:
    """The digest that a path of an OCI layout promises; None for any other name."""
    parts = name.split("/")
    if len(parts) != 3 or parts[0] != "blobs":
        return None
    try:
        return parse_digest(f"{parts[1]}:{parts[2]}")
    except UsageError:
        return None


def _clean(path: bytes) -> str:
    """A name to compare: without `.` and empty parts; `..` stays and so is never found."""
    return "/".join(part for part in path.decode("utf-8", "surrogateescape").split("/") if part not in ("", "."))


def _target(name: str, entry: TarEntry) -> str:
    """The name a link leads to; a symlink's target is relative to its own folder."""
    if entry.kind == "hardlink":
        return _clean(entry.target)
    parts = name.split("/")[:-1]
    for part in entry.target.decode("utf-8", "surrogateescape").split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
