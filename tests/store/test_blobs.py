import io
import os
from pathlib import Path
from typing import Any

import pytest

from labbox.errors import DigestMismatchError, NotFoundError
from labbox.oci.digest import Digest, sha256
from labbox.store.blobs import BlobStore


@pytest.fixture
def blobs(tmp_path: Path) -> Any:
    return BlobStore(str(tmp_path))


def test_a_blob_is_found_under_the_digest_of_its_bytes(blobs: BlobStore) -> None:
    digest = blobs.add(b"hello")
    assert digest == sha256(b"hello")
    assert blobs.read(digest) == b"hello"
    assert blobs.size_bytes(digest) == 5
    assert list(blobs.digests()) == [digest]
    with blobs.open(digest) as stream:
        assert stream.read() == b"hello"


def test_a_stream_is_kept_under_its_digest(blobs: BlobStore) -> None:
    data = os.urandom(3_000_000)
    assert blobs.add_stream(io.BytesIO(data)) == (sha256(data), len(data))


def test_other_content_than_expected_is_not_kept(blobs: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(DigestMismatchError, match="expected `sha256:"):
        blobs.add(b"evil", expected=sha256(b"good"))
    assert list(blobs.digests()) == []
    assert os.listdir(tmp_path / "tmp") == []


def test_sha512_is_checked_as_well(blobs: BlobStore) -> None:
    expected = Digest("sha512", "0" * 128)
    with pytest.raises(DigestMismatchError):
        blobs.add(b"x", expected=expected)


def test_a_writer_that_fails_leaves_nothing(blobs: BlobStore, tmp_path: Path) -> None:
    def write_half() -> None:
        with blobs.writer() as writer:
            writer.write(b"half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_half()
    assert list(blobs.digests()) == []
    assert os.listdir(tmp_path / "tmp") == []


def test_two_writers_of_one_blob_are_both_right(blobs: BlobStore) -> None:
    with blobs.writer() as one, blobs.writer() as other:
        for data in (b"same ", b"content"):
            one.write(data)
            other.write(data)
    assert blobs.read(one.digest) == b"same content"
    assert one.digest == other.digest


def test_a_damaged_blob_is_noticed(blobs: BlobStore) -> None:
    digest = blobs.add(b"hello")
    with open(blobs.path(digest), "wb") as file:
        file.write(b"jello")
    with pytest.raises(DigestMismatchError):
        blobs.verify(digest)
    with pytest.raises(DigestMismatchError):
        blobs.read(digest, verify=True)


def test_a_missing_blob_is_said_to_be_missing(blobs: BlobStore) -> None:
    digest = sha256(b"nowhere")
    assert not blobs.has(digest)
    for ask in (blobs.read, blobs.open, blobs.size_bytes, blobs.verify):
        with pytest.raises(NotFoundError, match=str(digest)):
            ask(digest)
    assert blobs.remove(digest) == 0


def test_a_blob_that_is_removed_is_gone(blobs: BlobStore) -> None:
    digest = blobs.add(b"hello")
    assert blobs.remove(digest) == 5
    assert not blobs.has(digest)
