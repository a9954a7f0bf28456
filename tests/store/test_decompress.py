import bz2
import gzip
import io
import lzma
import zlib
from typing import Any

import pytest

from labbox.errors import ArchiveError, UnsupportedError
from labbox.store import decompress
from labbox.store.decompress import open_decompressed

DATA = bytes(range(256)) * 20_000


def plain(data: bytes) -> Any:
    return open_decompressed(io.BytesIO(data)).readall()


@pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lzma.compress, bytes], ids=["gzip", "bzip2", "xz", "none"]
)
def test_the_compression_is_told_by_the_first_bytes(compress: Any) -> None:
    assert plain(compress(DATA)) == DATA
    assert plain(compress(b"")) == b""


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress], ids=["gzip", "bzip2", "xz"])
def test_several_members_are_one_stream_and_zeros_fill_the_end(compress: Any) -> None:
    assert plain(compress(DATA) + compress(b"") + compress(b"end") + bytes(1000)) == DATA + b"end"


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress], ids=["gzip", "bzip2", "xz"])
def test_truncated_damaged_and_foreign_data_are_refused(compress: Any) -> None:
    whole = compress(DATA)
    with pytest.raises(ArchiveError, match="truncated"):
        plain(whole[:-5])
    with pytest.raises(ArchiveError, match="damaged"):
        plain(whole[:40] + b"\0\xff\0\xff" * 4 + whole[56:])
    with pytest.raises(ArchiveError, match=r"damaged|truncated"):
        plain(whole + b"garbage that is no member at all")


def test_small_reads_give_the_same_bytes() -> None:
    stream = open_decompressed(io.BytesIO(gzip.compress(DATA[:10_000])))
    parts = []
    while part := stream.read_chunk(7):
        assert len(part) <= 7
        parts.append(part)
    assert b"".join(parts) == DATA[:10_000]


def test_a_stream_that_gives_single_bytes_is_read() -> None:
    class Trickle(io.BytesIO):
        def read(self, _count: Any = -1, /) -> Any:
            return super().read(1)

    assert open_decompressed(Trickle(gzip.compress(b"drop by drop"))).readall() == b"drop by drop"


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress, "_RATIO_FREE_BYTES", 1 << 20)
    monkeypatch.setattr(decompress, "MAX_RATIO", 100)
    compressor = zlib.compressobj(9, wbits=31)
    bomb = compressor.compress(bytes(64 << 20)) + compressor.flush()
    with pytest.raises(ArchiveError, match="refused as a bomb"):
        plain(bomb)


def test_zstd_is_read_or_the_missing_package_is_named() -> None:
    frame = bytes.fromhex("28b52ffd2005290000") + b"hello"
    try:
        assert plain(frame) == b"hello"
    except UnsupportedError as error:
        assert "backports.zstd" in str(error.hint)  # noqa: PT017  (either answer is right)
