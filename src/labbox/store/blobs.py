"""Content by digest on this disk: the `blobs/` of an OCI image layout (image-spec image-layout.md)."""

import errno
import os

from labbox.errors import DigestMismatchError, NotFoundError, StoreError
from labbox.files import make_private_folder, sync_directory
from labbox.lightweight_modules import contextmanager, suppress
from labbox.lightweight_typing import Any, BinaryIO, Iterator
from labbox.oci.digest import Digest

_COPY_BYTES = 1 << 20


class BlobStore:
    """Blobs below `store_dir`. A blob appears whole or not at all, under the digest of its very bytes.

    Two writers of one blob do not disturb each other: both write a file of their own and rename it to the same name.
    """

    def __init__(self, store_dir: str) -> None:
        self._blobs_dir = os.path.join(store_dir, "blobs")
        self._tmp_dir = os.path.join(store_dir, "tmp")

    def path(self, digest: Digest) -> str:
        """Where the blob is or would be."""
        return f"{self._blobs_dir}/{digest.algorithm}/{digest.hex}"

    def has(self, digest: Digest) -> bool:
        """True when the blob is here."""
        return os.path.exists(self.path(digest))

    def size_bytes(self, digest: Digest) -> int:
        """The length of a blob; raises NotFoundError."""
        try:
            return os.stat(self.path(digest)).st_size
        except FileNotFoundError as error:
            raise _missing(digest) from error

    def read(self, digest: Digest, *, verify: bool = False) -> bytes:
        """All bytes of a (small) blob, with `verify` hashed again; raises NotFoundError or DigestMismatchError."""
        try:
            with open(self.path(digest), "rb") as file:
                data = file.read()
        except FileNotFoundError as error:
            raise _missing(digest) from error
        if verify:
            _check(digest, _hash_of(digest.algorithm, data).hexdigest(), self.path(digest))
        return data

    def open(self, digest: Digest) -> BinaryIO:
        """The blob as a stream; raises NotFoundError."""
        try:
            return open(self.path(digest), "rb")
        except FileNotFoundError as error:
            raise _missing(digest) from error

    def verify(self, digest: Digest) -> None:
        """Hash a blob again; raises NotFoundError, or DigestMismatchError when its bytes are not its digest's."""
        hasher = _hash_of(digest.algorithm)
        with self.open(digest) as file:
            while data := file.read(_COPY_BYTES):
                hasher.update(data)
        _check(digest, hasher.hexdigest(), self.path(digest))

    def add(self, data: bytes, expected: Digest | None = None) -> Digest:
        """Keep some bytes and return their digest; DigestMismatchError when they are not `expected`."""
        with self.writer(expected) as writer:
            writer.write(data)
        return writer.digest

    def add_stream(self, stream: BinaryIO, expected: Digest | None = None) -> tuple[Digest, int]:
        """Keep what a stream gives until its end; digest and length."""
        with self.writer(expected) as writer:
            while data := stream.read(_COPY_BYTES):
                writer.write(data)
        return writer.digest, writer.size_bytes

    @contextmanager
    def writer(self, expected: Digest | None = None) -> Iterator["BlobWriter"]:
        """A writer whose blob is kept when the block ends well; nothing is left of it otherwise."""
        make_private_folder(self._tmp_dir)
        with no_space_reported(self._blobs_dir):
            writer = BlobWriter(self._tmp_dir, expected)
            try:
                yield writer
                self._keep(writer)
            finally:
                writer.discard()

    def digests(self) -> Iterator[Digest]:
        """Every blob that is here, by its name."""
        for algorithm in ("sha256", "sha512"):
            try:
                names = os.listdir(os.path.join(self._blobs_dir, algorithm))
            except FileNotFoundError:
                continue
            for name in sorted(names):
                yield Digest(algorithm, name)

    def remove(self, digest: Digest) -> int:
        """Remove a blob; the bytes this frees, 0 when it was not here."""
        path = self.path(digest)
        try:
            size_bytes = os.stat(path).st_size
            os.unlink(path)
        except FileNotFoundError:
            return 0
        return size_bytes

    def _keep(self, writer: "BlobWriter") -> None:
        digest = writer.seal()
        folder = os.path.join(self._blobs_dir, digest.algorithm)
        make_private_folder(folder)
        os.rename(writer.path, self.path(digest))
        sync_directory(folder)


class BlobWriter:
    """Takes the bytes of one blob and hashes them on the way. Made by `BlobStore.writer`."""

    def __init__(self, tmp_dir: str, expected: Digest | None) -> None:
        self.path = os.path.join(tmp_dir, f"blob-{os.getpid()}-{os.urandom(6).hex()}")
        self.size_bytes = 0
        self._expected = expected
        self._algorithm = expected.algorithm if expected is not None else "sha256"
        self._hash = _hash_of(self._algorithm)
        self._file: BinaryIO | None = open(self.path, "xb", buffering=_COPY_BYTES)  # noqa: SIM115  (closed by discard)

    @property
    def digest(self) -> Digest:
        """The digest of the bytes written so far."""
        return Digest(self._algorithm, self._hash.hexdigest())

    def write(self, data: bytes | memoryview) -> None:
        """Append some bytes."""
        if self._file is None:
            raise ValueError("the blob is sealed")
        self._file.write(data)
        self._hash.update(data)
        self.size_bytes += len(data)

    def seal(self) -> Digest:
        """Put the bytes on disk and compare their digest with the expected one; raises DigestMismatchError."""
        if self._file is None:
            raise ValueError("the blob is sealed")
        digest = self.digest
        if self._expected is not None:
            _check(self._expected, digest.hex, "received content")
        self._file.flush()
        os.fsync(self._file.fileno())
        os.fchmod(self._file.fileno(), 0o600)
        self.discard_descriptor()
        return digest

    def discard(self) -> None:
        """Forget the bytes when they were not kept."""
        try:
            self.discard_descriptor()
        finally:
            with suppress(FileNotFoundError):  # renamed to its digest
                os.unlink(self.path)

    def discard_descriptor(self) -> None:
        """Close the file; what a full disk left in its buffer is lost with it."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


@contextmanager
def no_space_reported(path: str) -> Iterator[None]:
    """Turn a full disk or an exhausted quota below `path` into a StoreError that says so."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise no_space_left(path) from error


def no_space_left(path: str) -> StoreError:
    """The error of a disk that is full."""
    return StoreError(
        f"no space left on `{path}`", hint="free space: `labbox image prune`, `labbox rm` of old containers"
    )


def _hash_of(algorithm: str, data: bytes = b"") -> Any:
    import hashlib  # noqa: PLC0415  (loads OpenSSL, 4 ms; starting a container hashes nothing)

    return hashlib.new(algorithm, data)


def _check(expected: Digest, found_hex: str, where: str) -> None:
    if found_hex != expected.hex:
        raise DigestMismatchError(
            f"digest of {where} is `{expected.algorithm}:{found_hex}`, expected `{expected}`",
            hint="fetch it again; if that does not help, the source serves other bytes than it promises",
        )


def _missing(digest: Digest) -> NotFoundError:
    return NotFoundError(f"blob `{digest}` is not in the store")
