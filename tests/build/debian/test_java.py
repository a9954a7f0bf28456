import hashlib
import struct
from pathlib import Path

import pytest

from labbox.build.debian.java import settle_key_store


def _entry(alias: bytes, moment: int, tag: int = 2) -> bytes:
    certificate = b"certificate of " + alias
    return b"".join(
        [
            struct.pack(">IH", tag, len(alias)) + alias,
            struct.pack(">QH", moment, 5) + b"X.509",
            struct.pack(">I", len(certificate)) + certificate,
        ]
    )


def _store(*entries: bytes) -> bytes:
    body = struct.pack(">III", 0xFEEDFEED, 2, len(entries)) + b"".join(entries)
    return body + hashlib.sha1("changeit".encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()


def test_certificates_carry_the_epoch_in_the_order_of_their_names(tmp_path: Path) -> None:
    path = tmp_path / "cacerts"
    path.write_bytes(_store(_entry(b"b", 1234), _entry(b"a", 5678)))
    settle_key_store(str(path), 1_700_000_000)
    assert path.read_bytes() == _store(_entry(b"a", 1_700_000_000_000), _entry(b"b", 1_700_000_000_000))


@pytest.mark.parametrize(
    "content",
    [b"", b"\xfe\xed\xfe\xed", _store(_entry(b"key", 1, tag=1)), _store(_entry(b"a", 1))[:-1] + b"x", b"PKCS" * 20],
)
def test_another_kind_of_store_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cacerts"
    path.write_bytes(content)
    settle_key_store(str(path), 1_700_000_000)
    assert path.read_bytes() == content


def test_a_system_without_java_needs_nothing(tmp_path: Path) -> None:
    settle_key_store(str(tmp_path / "none"), 1)
