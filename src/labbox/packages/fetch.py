"""Files named by their sha256: fetched in parallel from the first address that has them, kept in a cache.

A file that is there is whole and right: it is written beside its place, hashed while written, and renamed.
A download that was cut off goes on where it stopped.
"""

import fcntl
import hashlib
import http.client
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from labbox.errors import DownloadError
from labbox.files import make_private_folder
from labbox.packages.patience import Patience
from labbox.packages.transport import Transport

_CONNECTIONS = 8
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedFile:
    """A file to fetch: what it must be, and where it may be had (asked for lazily, best first)."""

    label: str
    sha256: str
    size: int
    addresses: Callable[[], Iterable[str]]


class FetchedFile(NamedTuple):
    """A file in the cache: its path, and the SHA-1 by which snapshot.debian.org names it."""

    path: str
    sha1: str


class Progress(NamedTuple):
    """How far a fetch has come."""

    done_bytes: int
    total_bytes: int
    done_items: int
    total_items: int


ReportProgress = Callable[[Progress], None]


def report_nothing(_progress: Progress) -> None:
    """A progress callback for those who do not look."""


class Fetcher:
    """Fetches files into a cache folder, where each has its sha256 as its name."""

    def __init__(self, folder: str, transport: Transport, patience: Patience) -> None:
        self._folder = folder
        self._transport = transport
        self._patience = patience

    def path_of(self, sha256: str) -> str:
        """Where a file is, or would be, in the cache."""
        return os.path.join(self._folder, sha256)

    def fetch_all(
        self, wanted: Sequence[WantedFile], *, progress: ReportProgress = report_nothing
    ) -> dict[str, FetchedFile]:
        """Have every wanted file in the cache: sha256 → where it is. Raises DownloadError for the first that fails."""
        make_private_folder(self._folder)
        meter = _Meter(wanted, progress)
        ordered = sorted(wanted, key=lambda file: -file.size)
        with ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="fetch") as pool:
            futures = [pool.submit(self._fetch_one, file, meter) for file in ordered]
            try:
                return {file.sha256: future.result() for file, future in zip(ordered, futures, strict=True)}
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _fetch_one(self, wanted: WantedFile, meter: "_Meter") -> FetchedFile:
        final = self.path_of(wanted.sha256)
        found = _check_cached(final, wanted)
        if found is None:
            with _exclusive(f"{final}.part") as part:
                found = _check_cached(final, wanted)  # another process may have fetched it while we waited
                if found is None:
                    found = FetchedFile(final, self._download(wanted, part, meter))
                    os.rename(f"{final}.part", final)
        meter.finish(wanted)
        return found

    def _download(self, wanted: WantedFile, part: int, meter: "_Meter") -> str:
        def transfer(url: str) -> str:
            return self._transfer(url, wanted, part, meter)

        return self._patience.first_success(wanted.addresses(), transfer, label=wanted.label)

    def _transfer(self, url: str, wanted: WantedFile, part: int, meter: "_Meter") -> str:
        """Write the file from where the last attempt stopped, and return its SHA-1; a wrong file is thrown away."""
        have = os.fstat(part).st_size
        if have >= wanted.size:
            have = 0
        with self._transport.get(url, offset=have) as response:
            if response.status == 206 and not _starts_at(response, have):
                os.ftruncate(part, 0)
                raise http.client.HTTPException("it sent another range than was asked for")
            if response.status == 200:
                have = 0
            os.ftruncate(part, have)
            sha256, sha1 = _hash_part(part, have)
            meter.restart(wanted, have)
            received = have
            while received <= wanted.size and (chunk := response.read(_CHUNK)):
                received += len(chunk)
                sha256.update(chunk)
                sha1.update(chunk)
                _write_all(part, chunk)
                meter.advance(wanted, len(chunk))
        if received < wanted.size:
            raise ConnectionResetError(f"it ended after {received} of {wanted.size} bytes")
        if received > wanted.size or sha256.hexdigest() != wanted.sha256:
            os.ftruncate(part, 0)
            raise DownloadError(f"`{url}` is not the wanted file: size or sha256 differs")
        return sha1.hexdigest()


class _Meter:
    """Adds up what the threads have received and reports it."""

    def __init__(self, wanted: Sequence[WantedFile], report: ReportProgress) -> None:
        self._report = report
        self._lock = threading.Lock()
        self._received: dict[str, int] = {}
        self._done_bytes = 0
        self._done_items = 0
        self._total_bytes = sum(file.size for file in wanted)
        self._total_items = len(wanted)

    def restart(self, file: WantedFile, offset: int) -> None:
        self._set(file, offset, finished=False)

    def advance(self, file: WantedFile, count: int) -> None:
        self._set(file, self._received.get(file.sha256, 0) + count, finished=False)

    def finish(self, file: WantedFile) -> None:
        self._set(file, file.size, finished=True)

    def _set(self, file: WantedFile, received: int, *, finished: bool) -> None:
        with self._lock:
            self._done_bytes += received - self._received.get(file.sha256, 0)
            self._received[file.sha256] = received
            self._done_items += finished
            self._report(Progress(self._done_bytes, self._total_bytes, self._done_items, self._total_items))


def _check_cached(path: str, wanted: WantedFile) -> FetchedFile | None:
    """The file in the cache when it is there and still right; a damaged one is removed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        size = os.fstat(descriptor).st_size
        sha256, sha1 = _hash_part(descriptor, size)
    finally:
        os.close(descriptor)
    if size == wanted.size and sha256.hexdigest() == wanted.sha256:
        return FetchedFile(path, sha1.hexdigest())
    os.unlink(path)
    return None


@contextmanager
def _exclusive(path: str) -> Iterator[int]:
    """The unfinished file, open and locked; opened again when whoever held the lock has renamed it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_same_file(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _is_same_file(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _starts_at(response: http.client.HTTPResponse, offset: int) -> bool:
    content_range = response.getheader("Content-Range") or ""
    return content_range.startswith(f"bytes {offset}-")


def _hash_part(descriptor: int, size: int) -> tuple["hashlib._Hash", "hashlib._Hash"]:
    """Hashes of the first `size` bytes, with the descriptor left behind them."""
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
    os.lseek(descriptor, 0, os.SEEK_SET)
    while size > 0 and (chunk := os.read(descriptor, min(size, 1 << 20))):
        sha256.update(chunk)
        sha1.update(chunk)
        size -= len(chunk)
    return sha256, sha1


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
