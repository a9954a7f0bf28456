"""Blobs fetched into the store: hashed as they come, taken up where an earlier attempt (or command) was cut off.

<store>/partial/<algorithm>-<hex>        what has come so far
<store>/partial/<algorithm>-<hex>.lock   held by whoever fetches it
"""

import hashlib
import http.client
import os
from collections.abc import Callable
from typing import Any, BinaryIO

from labbox.errors import DigestMismatchError, RegistryError
from labbox.files import locked, make_private_folder, sync_directory
from labbox.oci.descriptor import Descriptor
from labbox.registry.answer import Answer, AnswerError
from labbox.registry.repository import Repository
from labbox.store.blobs import BlobStore, no_space_reported

_PIECE_BYTES = 1 << 18
_MAXIMUM_ATTEMPTS = 1000  # with progress each; without, `Waiting` bounds them

Progress = Callable[[int], object]


class Downloader:
    """Fetches blobs of a repository into a store. `go_on` is asked now and then; what it raises ends the transfer."""

    def __init__(self, repository: Repository, blobs: BlobStore, store_dir: str, go_on: Callable[[], None]) -> None:
        self._repository = repository
        self._blobs = blobs
        self._folder = os.path.join(store_dir, "partial")
        self._go_on = go_on

    def fetch(self, wanted: Descriptor, progress: Progress) -> None:
        """Have the blob in the store.

        Raises DigestMismatchError for other bytes, RegistryError when it cannot be had: what has come stays then.
        """
        if self._blobs.has(wanted.digest):
            return
        make_private_folder(self._folder)
        path = os.path.join(self._folder, f"{wanted.digest.algorithm}-{wanted.digest.hex}")
        with no_space_reported(self._folder), locked(path + ".lock"):
            if not self._blobs.has(wanted.digest):
                self._fetch_checked(wanted, path, progress)
        for leftover in (path, path + ".lock"):
            if os.path.exists(leftover):
                os.unlink(leftover)

    def _fetch_checked(self, wanted: Descriptor, path: str, progress: Progress) -> None:
        """Once more from the start when the bytes are wrong: an earlier command's part may be to blame."""
        was_fresh = not os.path.exists(path)
        try:
            self._fetch_into(wanted, path, progress)
        except DigestMismatchError:
            os.unlink(path)
            if was_fresh:
                raise
            self._fetch_into(wanted, path, progress)

    def _fetch_into(self, wanted: Descriptor, path: str, progress: Progress) -> None:
        with open(path, "ab+") as file:
            part = _Part(file, wanted)
            attempt = 0
            for _ in range(_MAXIMUM_ATTEMPTS):
                if part.size_bytes == wanted.size_bytes:
                    break
                before = part.size_bytes
                try:
                    self._take(part, progress)
                except (AnswerError, OSError, http.client.HTTPException) as error:
                    attempt = 0 if part.size_bytes > before else attempt
                    self._repository.session.waiting.pause_or_raise(
                        error, attempt, self._repository.session.registry.host
                    )
                    attempt += 1
            part.check()
            file.flush()
            os.fsync(file.fileno())
        target = self._blobs.path(wanted.digest)
        make_private_folder(os.path.dirname(target))
        os.chmod(path, 0o600)
        os.rename(path, target)
        sync_directory(os.path.dirname(target))

    def _take(self, part: "_Part", progress: Progress) -> None:
        """One request, for what is missing."""
        with self._repository.open_blob(part.wanted.digest, part.size_bytes) as answer:
            if answer.status == 416 or not _continues(answer, part.size_bytes):
                part.restart()
                if answer.status != 200:
                    raise http.client.IncompleteRead(b"", part.wanted.size_bytes)
            progress(part.size_bytes)
            for data in answer.pieces(_PIECE_BYTES):
                self._go_on()
                part.write(data)
                progress(part.size_bytes)
            if part.size_bytes < part.wanted.size_bytes:
                raise http.client.IncompleteRead(b"", part.wanted.size_bytes - part.size_bytes)


class _Part:
    """The bytes that have come, on disk and hashed."""

    def __init__(self, file: BinaryIO, wanted: Descriptor) -> None:
        self.wanted = wanted
        self.size_bytes = 0
        self._file = file
        self._hash: Any = hashlib.new(wanted.digest.algorithm)
        file.seek(0)
        while data := file.read(_PIECE_BYTES):
            self._hash.update(data)
            self.size_bytes += len(data)
        if self.size_bytes > wanted.size_bytes:
            self.restart()

    def restart(self) -> None:
        self._file.truncate(0)
        self._hash = hashlib.new(self.wanted.digest.algorithm)
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        if self.size_bytes + len(data) > self.wanted.size_bytes:
            self.restart()
            raise DigestMismatchError(
                f"blob `{self.wanted.digest}` is larger than the {self.wanted.size_bytes} bytes that its manifest says"
            )
        self._file.write(data)
        self._hash.update(data)
        self.size_bytes += len(data)

    def check(self) -> None:
        if self.size_bytes != self.wanted.size_bytes:
            raise RegistryError(f"blob `{self.wanted.digest}` does not come to an end")
        if self._hash.hexdigest() != self.wanted.digest.hex:
            raise DigestMismatchError(
                f"blob `{self.wanted.digest}` comes as `{self.wanted.digest.algorithm}:{self._hash.hexdigest()}`",
                hint="The registry serves other bytes than it promises: try again, or tell whoever keeps it.",
            )


def _continues(answer: Answer, offset: int) -> bool:
    """True when the body starts at `offset`; a server may ignore Range, or send another one."""
    if answer.status == 200:
        return offset == 0
    start = answer.header("Content-Range").removeprefix("bytes").strip().partition("-")[0]
    return start.isdigit() and int(start) == offset
