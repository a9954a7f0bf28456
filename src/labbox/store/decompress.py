"""Compressed streams, told by their first bytes: gzip, bzip2, xz, zstd, or none."""

import io
from typing import Any, BinaryIO

from labbox.errors import ArchiveError, UnsupportedError

_READ_BYTES = 1 << 18
_OUTPUT_BYTES = 1 << 20
_MAGIC_BYTES = 6
_RATIO_FREE_BYTES = 1 << 30
MAX_RATIO = 1000


def open_decompressed(stream: BinaryIO) -> "Decompressor":
    """The plain bytes of a stream; raises UnsupportedError when its compression cannot be undone here."""
    return Decompressor(stream)


def compression_of(stream: BinaryIO) -> str:
    """`gzip`, `bzip2`, `xz`, `zstd` or `none`, told by a stream's first bytes."""
    return _detect(_read_start(stream))


class Decompressor(io.RawIOBase):
    """Reads plain bytes; several compressed members in a row count as one stream (RFC 1952, section 2.2).

    Damaged input raises ArchiveError, and so does a stream that blows up more than a thousandfold beyond a gibibyte.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self._input = _read_start(stream)
        self._compression = _detect(self._input)
        self._decompressor = _make_decompressor(self._compression)
        self._read_bytes = len(self._input)
        self._produced_bytes = 0

    def readable(self) -> bool:
        """True."""
        return True

    def readall(self) -> bytes:
        """Everything left."""
        return b"".join(iter(self.read_chunk, b""))

    def readinto(self, buffer: Any) -> int:
        """Fill a part of the buffer; 0 at the end."""
        data = self.read_chunk(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read_chunk(self, limit: int = _OUTPUT_BYTES) -> bytes:
        """Some plain bytes, at most `limit`; empty at the end."""
        data = self._read_plain(limit) if self._decompressor is None else self._read_compressed(limit)
        self._produced_bytes += len(data)
        if self._produced_bytes > _RATIO_FREE_BYTES and self._produced_bytes > MAX_RATIO * self._read_bytes:
            raise ArchiveError(f"{self._compression} data blow up more than {MAX_RATIO} times: refused as a bomb")
        return data

    def _read_plain(self, limit: int) -> bytes:
        if self._input:
            data, self._input = self._input[:limit], self._input[limit:]
            return data
        return self._stream.read(limit)

    def _read_compressed(self, limit: int) -> bytes:
        while True:
            if not self._input and not self._decompressor.needs_output():
                self._input = self._stream.read(_READ_BYTES)
                self._read_bytes += len(self._input)
                if not self._input:
                    if self._decompressor.is_inside:
                        raise ArchiveError(f"{self._compression} data are truncated")
                    return b""
            data, self._input = self._decompressor.feed(self._input, limit)
            if data:
                return bytes(data)


class _Members:
    """One compressed member after another, through the standard library's decompressor objects."""

    def __init__(self, compression: str, errors: tuple[type[Exception], ...]) -> None:
        self._compression = compression
        self._errors = errors
        self._member: Any = None
        self._is_past_first = False

    @property
    def is_inside(self) -> bool:
        """True while a member has begun and not ended."""
        return self._member is not None

    def needs_output(self) -> bool:
        """True when the current member can give output without further input."""
        return self._member is not None and self._has_output()

    def feed(self, data: bytes, limit: int) -> tuple[bytes, bytes]:
        """Some output, and the input that is left."""
        if self._member is None:
            if self._is_past_first:
                data = data.lstrip(b"\0")  # tapes and some tools fill up with zeros
                if not data:
                    return b"", b""
            self._member = self._start()
        try:
            output, rest, has_ended = self._step(data, limit)
        except self._errors as error:
            raise ArchiveError(f"{self._compression} data are damaged: {error}") from error
        if has_ended:
            self._member, self._is_past_first = None, True
        return output, rest

    def _start(self) -> Any:
        raise NotImplementedError

    def _has_output(self) -> bool:
        return not self._member.needs_input

    def _step(self, data: bytes, limit: int) -> tuple[bytes, bytes, bool]:
        output = self._member.decompress(data, limit)
        return output, self._member.unused_data if self._member.eof else b"", self._member.eof


class _Gzip(_Members):
    def __init__(self) -> None:
        import zlib  # noqa: PLC0415

        super().__init__("gzip", (zlib.error,))
        self._zlib = zlib

    def _start(self) -> Any:
        return self._zlib.decompressobj(wbits=31)

    def _has_output(self) -> bool:
        return False  # what is left over comes back as input

    def _step(self, data: bytes, limit: int) -> tuple[bytes, bytes, bool]:
        output = self._member.decompress(data, limit)
        rest = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return output, rest, self._member.eof


class _Bzip2(_Members):
    def __init__(self) -> None:
        super().__init__("bzip2", (OSError, ValueError))

    def _start(self) -> Any:
        import bz2  # noqa: PLC0415

        return bz2.BZ2Decompressor()


class _Xz(_Members):
    def __init__(self) -> None:
        import lzma  # noqa: PLC0415

        super().__init__("xz", (lzma.LZMAError,))
        self._lzma = lzma

    def _start(self) -> Any:
        return self._lzma.LZMADecompressor(self._lzma.FORMAT_XZ)


class _Zstd(_Members):
    def __init__(self) -> None:
        self._zstd = _import_zstd()
        super().__init__("zstd", (self._zstd.ZstdError,))

    def _start(self) -> Any:
        return self._zstd.ZstdDecompressor()


def _import_zstd() -> Any:
    """The standard library's module (Python 3.14) or its backport."""
    import importlib  # noqa: PLC0415

    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise UnsupportedError(
        "this layer is compressed with zstd, which this Python cannot read",
        hint="install the package `backports.zstd` beside labbox, or use Python 3.14 or newer",
    )


_MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)


def _detect(start: bytes) -> str:
    return next((name for magic, name in _MAGICS if start.startswith(magic)), "none")


def _make_decompressor(compression: str) -> Any:
    makers = {"gzip": _Gzip, "bzip2": _Bzip2, "xz": _Xz, "zstd": _Zstd}
    return makers[compression]() if compression in makers else None


def _read_start(stream: BinaryIO) -> bytes:
    """At least the bytes that tell the compression, unless the stream is shorter."""
    data = b""
    while len(data) < _MAGIC_BYTES and (more := stream.read(_READ_BYTES)):
        data += more
    return data
