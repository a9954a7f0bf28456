"""Blobs on their way, with everything that goes wrong on it."""

import os
import random
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from labbox.errors import DigestMismatchError, LabboxError, RegistryError
from labbox.oci.descriptor import Descriptor
from labbox.oci.digest import parse_digest
from labbox.registry.address import RegistryAddress
from labbox.registry.answer import AnswerError
from labbox.registry.download import Downloader
from labbox.registry.repository import Repository
from labbox.registry.session import Session
from labbox.registry.upload import Uploader
from labbox.registry.waiting import Waiting
from labbox.store.blobs import BlobStore
from registry.fake_registry import (
    FakeRegistry,
    Fault,
    answer_with,
    cut_after,
    digest_of,
    error_body,
    hang_up_while_receiving,
)

DATA = random.Random(4).randbytes(10 << 20)
BLOB = Descriptor("application/octet-stream", parse_digest(digest_of(DATA)), len(DATA))
THIRD = len(DATA) // 3


@pytest.fixture
def repository(fake: FakeRegistry) -> Iterator[Repository]:
    with Session(RegistryAddress(fake.host), None, Waiting(factor=0.01)) as session:
        yield Repository(session, "lab/x")


def fetch(repository: Repository, folder: Path, wanted: Descriptor = BLOB) -> bytes:
    blobs = BlobStore(str(folder))
    Downloader(repository, blobs, str(folder), lambda: None).fetch(wanted, lambda _: None)
    assert os.listdir(folder / "partial") == []
    return blobs.read(wanted.digest, verify=True)


def push(repository: Repository, blob: Descriptor = BLOB, data: bytes = DATA) -> None:
    pieces = [data[start : start + 100_000] for start in range(0, len(data), 100_000)]
    Uploader(repository, lambda: None).push(blob, lambda: nullcontext(pieces), lambda _: None)


def test_a_blob_is_fetched(fake: FakeRegistry, repository: Repository, tmp_path: Path) -> None:
    fake.put_blob(DATA)

    assert fetch(repository, tmp_path) == DATA


def test_a_cut_download_goes_on_where_it_stopped(fake: FakeRegistry, repository: Repository, tmp_path: Path) -> None:
    fake.put_blob(DATA)
    fake.faults.append(Fault("GET", "/blobs/", cut_after(THIRD), times=2))

    assert fetch(repository, tmp_path) == DATA
    ranges = [request.headers.get("Range") for request in fake.seen("GET", "/blobs/")]
    assert ranges == [None, f"bytes={THIRD}-", f"bytes={2 * THIRD}-"]


def test_the_next_command_goes_on_where_one_ended(fake: FakeRegistry, repository: Repository, tmp_path: Path) -> None:
    fake.put_blob(DATA)
    fake.faults += [Fault("GET", "/blobs/", cut_after(THIRD)), Fault("GET", "/blobs/", answer_with(404))]
    with pytest.raises(AnswerError):
        fetch(repository, tmp_path)

    assert fetch(repository, tmp_path) == DATA
    assert fake.seen("GET", "/blobs/")[-1].headers["Range"] == f"bytes={THIRD}-"


def test_a_server_that_knows_no_ranges_sends_all_again(
    fake: FakeRegistry, repository: Repository, tmp_path: Path
) -> None:
    fake.put_blob(DATA)
    fake.faults += [Fault("GET", "/blobs/", cut_after(THIRD)), Fault("GET", "/blobs/", answer_with(200, DATA))]

    assert fetch(repository, tmp_path) == DATA


def test_after_416_the_download_starts_anew(fake: FakeRegistry, repository: Repository, tmp_path: Path) -> None:
    fake.put_blob(DATA)
    fake.faults += [Fault("GET", "/blobs/", cut_after(THIRD)), Fault("GET", "/blobs/", answer_with(416))]

    assert fetch(repository, tmp_path) == DATA


def test_a_server_that_cuts_without_giving_anything_is_given_up(
    fake: FakeRegistry, repository: Repository, tmp_path: Path
) -> None:
    fake.put_blob(DATA)
    fake.faults.append(Fault("GET", "/blobs/", cut_after(0), times=100))

    with pytest.raises(RegistryError, match="cannot reach"):
        fetch(repository, tmp_path)
    assert fake.count("GET", "/blobs/") == 5


@pytest.mark.parametrize("lie", [DATA[:-1] + b"x", DATA + b"x", b"x" * len(DATA)], ids=["last", "longer", "all"])
def test_other_bytes_are_never_kept(fake: FakeRegistry, repository: Repository, tmp_path: Path, lie: bytes) -> None:
    fake.blobs[str(BLOB.digest)] = lie

    with pytest.raises(DigestMismatchError):
        fetch(repository, tmp_path)
    assert not BlobStore(str(tmp_path)).has(BLOB.digest)
    assert [name for name in os.listdir(tmp_path / "partial") if not name.endswith(".lock")] == []


def test_a_blob_shorter_than_said_is_refused(fake: FakeRegistry, repository: Repository, tmp_path: Path) -> None:
    fake.blobs[str(BLOB.digest)] = DATA[:-1]

    with pytest.raises(LabboxError):
        fetch(repository, tmp_path)


def test_a_damaged_part_of_an_earlier_command_is_thrown_away(
    fake: FakeRegistry, repository: Repository, tmp_path: Path
) -> None:
    fake.put_blob(DATA)
    (tmp_path / "partial").mkdir()
    (tmp_path / "partial" / f"sha256-{BLOB.digest.hex}").write_bytes(b"x" * THIRD)

    assert fetch(repository, tmp_path) == DATA


def test_a_blob_is_pushed_in_one_request(fake: FakeRegistry, repository: Repository) -> None:
    push(repository)

    assert fake.blobs[str(BLOB.digest)] == DATA
    assert (fake.count("POST", "/uploads/"), fake.count("PATCH", ""), fake.count("PUT", "")) == (1, 0, 1)


def test_an_empty_blob_is_pushed(fake: FakeRegistry, repository: Repository) -> None:
    push(repository, Descriptor("x", parse_digest(digest_of(b"")), 0), b"")

    assert fake.blobs[digest_of(b"")] == b""


def test_a_cut_upload_goes_on_where_it_stopped(fake: FakeRegistry, repository: Repository) -> None:
    fake.faults.append(Fault("PUT", "/uploads/", hang_up_while_receiving(THIRD)))

    push(repository)

    assert fake.blobs[str(BLOB.digest)] == DATA
    patches = fake.seen("PATCH", "/uploads/")
    assert patches[0].headers["Content-Range"].startswith(f"{THIRD}-")
    assert all(int(patch.headers["Content-Length"]) < 4 << 20 for patch in patches)


def test_an_upload_that_the_server_has_forgotten_begins_anew(fake: FakeRegistry, repository: Repository) -> None:
    fake.faults.append(Fault("PUT", "/uploads/", answer_with(404, error_body("BLOB_UPLOAD_UNKNOWN", "gone"))))

    push(repository)

    assert fake.blobs[str(BLOB.digest)] == DATA


def test_a_token_that_ends_in_mid_push_is_renewed(
    fake: FakeRegistry, stranger: FakeRegistry, repository: Repository
) -> None:
    fake.token_server, stranger.valid_tokens = stranger, fake.valid_tokens

    def forget(handler: object) -> None:
        fake.valid_tokens.clear()
        challenge = f'Bearer realm="http://{stranger.host}/token",service="fake"'
        answer_with(401, WWW_Authenticate=challenge)(handler)  # type: ignore[arg-type]

    fake.faults.append(Fault("PUT", "/uploads/", forget))

    push(repository)

    assert fake.blobs[str(BLOB.digest)] == DATA
    assert len(stranger.granted) == 2


def test_a_push_that_is_not_allowed_ends_at_once(fake: FakeRegistry, repository: Repository) -> None:
    fake.faults.append(Fault("POST", "/uploads/", answer_with(403, error_body("DENIED", "not yours")), times=100))

    with pytest.raises(AnswerError, match="DENIED: not yours"):
        push(repository)
    assert fake.count("POST", "/uploads/") == 1


def test_a_layer_that_comes_out_shorter_is_not_pushed(fake: FakeRegistry, repository: Repository) -> None:
    with pytest.raises(DigestMismatchError, match="comes out with another length"):
        push(repository, BLOB, DATA[:-1])
    assert not fake.blobs
