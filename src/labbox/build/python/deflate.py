"""Gzip members made without a compressor, so that their bytes can never depend on one's version. Layout 1.

Text is written in one block with the fixed codes of RFC 1951 (section 3.2.6): every byte as a literal, except that a
run of four or more zeros is its first byte and copies of it. That is all a tar header needs: it is mostly zeros.
"""

import re
import zlib
from collections.abc import Iterator
from struct import Struct

# RFC 1952: deflate, no flags, no time, no extra flags, unknown operating system.
GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_TRAILER = Struct("<II")
_STORED_HEADER = Struct("<BHH")
_STORED_MOST = 0xFFFF
_RUN = re.compile(rb"\0{4,}")
_LONGEST_COPY = 258
_SHORTEST_COPY = 3
_END_OF_BLOCK = 256


def gzip_trailer(crc: int, size_bytes: int) -> bytes:
    """What stands behind a member's data: the checksum and the length of what it unpacks to."""
    return _TRAILER.pack(crc, size_bytes & 0xFFFFFFFF)


def gzip_text(text: bytes) -> bytes:
    """A whole member that unpacks to `text`."""
    return b"%b%b%b" % (GZIP_HEADER, deflate_text(text), gzip_trailer(zlib.crc32(text), len(text)))


def deflate_text(text: bytes) -> bytes:
    """`text` as one final block with fixed codes."""
    pieces = ["1" + "10"]  # the last block; type 01, least significant bit first
    position = 0
    for run in _RUN.finditer(text):
        start, end = run.span()
        pieces.append("".join(map(_LITERAL_OF, text[position:start])))
        pieces.append(_zeros(end - start))
        position = end
    pieces.append("".join(map(_LITERAL_OF, text[position:])))
    pieces.append(_CODES[_END_OF_BLOCK])
    bits = "".join(pieces)
    # The first bit is the lowest of the first byte.
    return int(bits[::-1], 2).to_bytes((len(bits) + 7) // 8, "little")


def stored_blocks(size_bytes: int) -> Iterator[tuple[bytes, int]]:
    """The headers of stored blocks for data of this length (not 0), each with the bytes that follow it."""
    while size_bytes:
        count = min(size_bytes, _STORED_MOST)
        size_bytes -= count
        yield _STORED_HEADER.pack(size_bytes == 0, count, count ^ 0xFFFF), count


def _zeros(count: int) -> str:
    """A run of zeros: one literal, then copies of the byte before; a rest too short for a copy is literals."""
    whole, rest = divmod(count - 1, _LONGEST_COPY)
    end = _COPIES[rest] if rest >= _SHORTEST_COPY else _LITERALS[0] * rest
    return _LITERALS[0] + _COPIES[_LONGEST_COPY] * whole + end


def _make_codes() -> list[str]:
    """The fixed codes of the 288 symbols (RFC 1951, 3.2.6); Huffman codes go most significant bit first."""
    return [
        *(f"{0b00110000 + symbol:08b}" for symbol in range(144)),
        *(f"{0b110010000 + symbol - 144:09b}" for symbol in range(144, 256)),
        *(f"{symbol - 256:07b}" for symbol in range(256, 280)),
        *(f"{0b11000000 + symbol - 280:08b}" for symbol in range(280, 288)),
    ]


def _make_copies() -> list[str]:
    """How a copy of each length from distance 1 is written (RFC 1951, 3.2.5): symbol, extra bits, distance code 0."""
    copies = [""] * (_LONGEST_COPY + 1)
    length = _SHORTEST_COPY
    for symbol in range(257, 285):
        extra_bits = max(0, (symbol - 261) // 4)
        for extra in range(1 << extra_bits):
            low_first = f"{extra:0{extra_bits}b}"[::-1] if extra_bits else ""
            copies[length + extra] = _CODES[symbol] + low_first + "00000"
        length += 1 << extra_bits
    copies[_LONGEST_COPY] = _CODES[285] + "00000"
    return copies


_CODES = _make_codes()
_LITERALS = _CODES[:256]
_LITERAL_OF = _LITERALS.__getitem__
_COPIES = _make_copies()
