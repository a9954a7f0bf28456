import gzip
import hashlib
import zlib

from hypothesis import given
from hypothesis import strategies as st

from labbox.build.python.deflate import deflate_text, gzip_text, gzip_trailer, stored_blocks
from labbox.oci.canonical_tar import TarEntry, encode_entry

TEXT = st.lists(st.one_of(st.binary(max_size=40), st.integers(0, 900).map(bytes))).map(b"".join)


@given(TEXT)
def test_text_unpacks_to_itself_and_ends_exactly(text: bytes) -> None:
    inflater = zlib.decompressobj(-15)
    assert inflater.decompress(deflate_text(text)) == text
    assert inflater.eof
    assert inflater.unused_data == b""


def test_every_length_of_a_run_of_zeros_unpacks() -> None:
    for length in range(1200):
        text = b"x" + bytes(length) + b"y"
        assert zlib.decompress(deflate_text(text), -15) == text


@given(TEXT, TEXT)
def test_members_in_a_row_are_one_gzip_file(one: bytes, other: bytes) -> None:
    assert gzip.decompress(gzip_text(one) + gzip_text(other)) == one + other


@given(st.binary(min_size=1, max_size=200_000))
def test_stored_blocks_unpack_to_their_data(data: bytes) -> None:
    blocks, position = b"", 0
    for header, count in stored_blocks(len(data)):
        blocks += header + data[position : position + count]
        position += count
    inflater = zlib.decompressobj(-15)
    assert inflater.decompress(blocks) == data
    assert inflater.eof


def test_a_trailer_holds_lengths_beyond_four_gibibytes() -> None:
    assert gzip_trailer(1, (1 << 32) + 5) == b"\1\0\0\0\5\0\0\0"


def test_a_tar_header_is_small_and_its_bytes_never_change() -> None:
    header = encode_entry(
        TarEntry(b"opt/env/lib/python3.13/site-packages/six.py", "file", 0o644, 1000, 1000, 315532800, 9)
    )
    member = gzip_text(header)
    assert len(header) == 512
    assert len(member) < 160
    # layout 1: other bytes here mean other digests of every layer
    assert hashlib.sha256(member).hexdigest() == "00dfc583685c775ee0ffcfd130ac2b81a61230ce1440213ccb4ff0610419b3aa"
