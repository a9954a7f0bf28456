"""A layer's archive as a gzip file, made of the wheels' own compressed data. Layout 1.

    member: tar headers, padding and small texts, by `labbox.build.python.deflate`
    member: the deflate data of one file, as the wheel has them
    …

Concatenated members are one gzip file (RFC 1952, section 2.2). No compressor runs: the bytes are a function of the
wheels and of this layout alone.
"""

import hashlib
from collections.abc import Callable, Sequence

from labbox.build.python.deflate import GZIP_HEADER, gzip_text, gzip_trailer, stored_blocks
from labbox.build.python.layer_content import LayerContent
from labbox.build.python.zip_content import read_compressed
from labbox.build.python.zip_directory import STORED, ZipMember
from labbox.oci.canonical_tar import END, encode_entry, padding
from labbox.oci.digest import Digest

_PIECE_BYTES = 1 << 20

Write = Callable[[bytes], object]


def write_blob(content: LayerContent, descriptors: Sequence[int], write: Write) -> tuple[Digest, int]:
    """Write the archive of a layer whose wheels are open; its digest and length."""
    output = _Output(write)
    text: list[bytes] = []
    for entry, source in content.entries:
        text.append(encode_entry(entry))
        if source is None or not entry.size_bytes:
            continue
        member = source.file.member
        if member is not None and member.size_bytes:
            output.put(gzip_text(b"".join(text)))
            text.clear()
            _write_member(output, descriptors[source.wheel], member, content.file_names[source.wheel])
        text += [source.file.text, padding(entry.size_bytes)]
    text.append(END)
    output.put(gzip_text(b"".join(text)))
    return output.finish()


def _write_member(output: "_Output", descriptor: int, member: ZipMember, label: str) -> None:
    """A zip member as a gzip member; what is stored there is stored here."""
    output.put(GZIP_HEADER)
    pieces = read_compressed(descriptor, member, label)
    if member.method == STORED:
        data = b"".join(pieces)
        position = 0
        for header, count in stored_blocks(len(data)):
            output.put(header)
            output.put(data[position : position + count])
            position += count
    else:
        for piece in pieces:
            output.put(piece)
    output.put(gzip_trailer(member.crc, member.size_bytes))


class _Output:
    """Collects small pieces into large ones, and hashes them."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._hash = hashlib.sha256()
        self._size_bytes = 0
        self._pending: list[bytes] = []
        self._pending_bytes = 0

    def put(self, data: bytes) -> None:
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= _PIECE_BYTES:
            self._flush()

    def finish(self) -> tuple[Digest, int]:
        self._flush()
        return Digest("sha256", self._hash.hexdigest()), self._size_bytes

    def _flush(self) -> None:
        data = b"".join(self._pending)
        self._pending, self._pending_bytes = [], 0
        self._hash.update(data)
        self._size_bytes += len(data)
        self._write(data)
