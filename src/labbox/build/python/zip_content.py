"""The content of a zip file's members: compressed as it lies there, or inflated and compared with the directory.

A member is good when its data end exactly where the directory says, and unpack to the length and checksum that it
says. So its raw data and their checksum can be copied into a gzip file, and everybody will see the same content.
"""

import os
import zlib
from collections.abc import Iterator
from struct import Struct

from labbox.build.python.zip_directory import FLAG_DESCRIPTOR, FLAG_ENCRYPTED, LOCAL_BYTES, STORED, ZipMember
from labbox.errors import ArchiveError

_LOCAL = Struct("<4s5H3L2H")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_FULL = 0xFFFFFFFF
_PIECE_BYTES = 1 << 18
_OUTPUT_BYTES = 1 << 20
_SMALL_BYTES = 1 << 17
_SLACK_BYTES = 512  # for a local header's extra field, so that one read gives a small member whole


def read_compressed(descriptor: int, member: ZipMember, label: str) -> Iterator[bytes]:
    """The member's data as they lie in the file, in pieces; its local header is checked first."""
    wanted = LOCAL_BYTES + len(member.name) + _SLACK_BYTES + member.compressed_bytes
    data = os.pread(descriptor, min(wanted, member.limit - member.offset, _PIECE_BYTES), member.offset)
    start = _check_local(data, member, label)
    end = start + member.compressed_bytes
    if member.offset + end > member.limit:
        raise ArchiveError(f"`{label}`: member `{member.name}` overlaps another or the directory")
    if end <= len(data):
        yield data[start:end]
        return
    position = min(start, len(data))
    if position < len(data):
        yield data[position:]
    position = max(start, len(data))
    while position < end:
        data = os.pread(descriptor, min(_PIECE_BYTES, end - position), member.offset + position)
        if not data:
            raise ArchiveError(f"`{label}`: member `{member.name}` is cut off")
        position += len(data)
        yield data


def inflate(descriptor: int, member: ZipMember, label: str) -> Iterator[bytes]:
    """The member's content in pieces. The last one comes only when all of it is what the directory promises."""
    if member.method != STORED and member.compressed_bytes <= _SMALL_BYTES and member.size_bytes <= _OUTPUT_BYTES:
        yield from _inflate_at_once(descriptor, member, label)
        return
    pieces = read_compressed(descriptor, member, label)
    plain = pieces if member.method == STORED else _inflate(pieces, member, label)
    crc, left = 0, member.size_bytes
    waiting = b""
    for data in plain:
        left -= len(data)
        if left < 0:
            break
        crc = zlib.crc32(data, crc)
        if waiting:
            yield waiting
        waiting = data
    if left:
        raise _wrong_length(member, label, is_more=left < 0)
    if crc != member.crc:
        raise _wrong_checksum(member, label)
    if waiting:
        yield waiting


def read_member(descriptor: int, member: ZipMember, label: str, *, most_bytes: int) -> bytes:
    """The whole content of a member that must not be large."""
    if member.size_bytes > most_bytes:
        raise ArchiveError(f"`{label}`: member `{member.name}` has {member.size_bytes} bytes, {most_bytes} are allowed")
    return b"".join(inflate(descriptor, member, label))


def _inflate_at_once(descriptor: int, member: ZipMember, label: str) -> list[bytes]:
    """The content of a small member, as nearly all are: the checks of `inflate` in one step."""
    data = b"".join(read_compressed(descriptor, member, label))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        output = inflater.decompress(data, member.size_bytes + 1)
    except zlib.error as error:
        raise ArchiveError(f"`{label}`: member `{member.name}` is damaged: {error}") from error
    if inflater.unused_data:
        raise ArchiveError(f"`{label}`: member `{member.name}` has data behind its end")
    if len(output) != member.size_bytes:
        raise _wrong_length(member, label, is_more=len(output) > member.size_bytes)
    if not inflater.eof:
        raise ArchiveError(f"`{label}`: member `{member.name}` is cut off")
    if zlib.crc32(output) != member.crc:
        raise _wrong_checksum(member, label)
    return [output]


def _wrong_length(member: ZipMember, label: str, *, is_more: bool) -> ArchiveError:
    found = "more" if is_more else "less"
    return ArchiveError(f"`{label}`: member `{member.name}` unpacks to {found} than {member.size_bytes} bytes")


def _wrong_checksum(member: ZipMember, label: str) -> ArchiveError:
    return ArchiveError(f"`{label}`: member `{member.name}` does not have the checksum that the wheel says")


def _inflate(pieces: Iterator[bytes], member: ZipMember, label: str) -> Iterator[bytes]:
    """Raw deflate data unpacked; they must end exactly with the last byte."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in pieces:
            if inflater.eof:
                raise ArchiveError(f"`{label}`: member `{member.name}` has data behind its end")
            data = piece
            while data or inflater.unconsumed_tail:
                output = inflater.decompress(data, _OUTPUT_BYTES)
                data = inflater.unconsumed_tail
                if output:
                    yield output
                if inflater.eof:
                    break
        while not inflater.eof and (output := inflater.decompress(b"", _OUTPUT_BYTES)):
            yield output
    except zlib.error as error:
        raise ArchiveError(f"`{label}`: member `{member.name}` is damaged: {error}") from error
    if inflater.unused_data:
        raise ArchiveError(f"`{label}`: member `{member.name}` has data behind its end")
    if not inflater.eof:
        raise ArchiveError(f"`{label}`: member `{member.name}` is cut off")


def _check_local(data: bytes, member: ZipMember, label: str) -> int:
    """Where the member's data start in `data`, whose local header must say what the directory says."""
    if len(data) < LOCAL_BYTES:
        raise ArchiveError(f"`{label}`: member `{member.name}` is cut off")
    signature, _, flags, method, _, _, crc, compressed, size, name_bytes, extra_bytes = _LOCAL.unpack_from(data)
    if signature != _LOCAL_SIGNATURE:
        raise ArchiveError(f"`{label}`: member `{member.name}` is not where the directory says")
    name = data[LOCAL_BYTES : LOCAL_BYTES + name_bytes]
    if name != member.name.encode():
        shown = ascii(name.decode("utf-8", "replace"))[1:101]
        raise ArchiveError(f"`{label}`: member `{member.name}` is called `{shown}` where its data are")
    if flags & FLAG_ENCRYPTED or method != member.method:
        raise ArchiveError(f"`{label}`: member `{member.name}` is compressed in two different ways")
    described = ((crc, member.crc), (compressed, member.compressed_bytes), (size, member.size_bytes))
    for position, (here, there) in enumerate(described):
        is_elsewhere = (flags & FLAG_DESCRIPTOR and here == 0) or (position and here == _FULL)
        if here != there and not is_elsewhere:
            raise ArchiveError(f"`{label}`: member `{member.name}` has other lengths or another checksum in its header")
    return LOCAL_BYTES + int(name_bytes) + int(extra_bytes)
