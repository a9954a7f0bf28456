"""Java's store of trusted certificates without the moment at which each was added.

Format: sun.security.provider.JavaKeyStore, version 2: entries, then SHA-1 over the password (UTF-16), a fixed phrase
and all before.
"""

import hashlib
import os
import struct

KEY_STORE = "/etc/ssl/certs/java/cacerts"
_HEAD = struct.Struct(">III")  # magic, version, number of entries
_MAGIC, _VERSION = 0xFEEDFEED, 2
_TRUSTED_CERTIFICATE = 2
_PASSWORD = "changeit".encode("utf-16-be")  # the well-known one of all Java installations
_PHRASE = b"Mighty Aphrodite"
_DIGEST_BYTES = 20


def settle_key_store(path: str, epoch: int) -> None:
    """Give every certificate the epoch as its time and sort by alias; a store of another kind is left as it is."""
    if not os.path.exists(path):
        return
    with open(path, "rb") as file:
        data = file.read()
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if len(body) < _HEAD.size or _digest(body) != digest:
        return
    magic, version, count = _HEAD.unpack_from(body)
    entries = _read_entries(body, count) if (magic, version) == (_MAGIC, _VERSION) else None
    if entries is None:
        return
    moment = struct.pack(">Q", epoch * 1000)
    parts = [before + moment + after for _, before, after in sorted(entries)]
    settled = _HEAD.pack(magic, version, count) + b"".join(parts)
    if settled != body:
        with open(path, "r+b") as file:
            file.write(settled + _digest(settled))


def _read_entries(body: bytes, count: int) -> list[tuple[bytes, bytes, bytes]] | None:
    """Alias, bytes before and bytes after the time of every entry; None when one is no trusted certificate."""
    entries = []
    position = _HEAD.size
    for _ in range(count):
        start = position
        (tag,) = struct.unpack_from(">I", body, position)
        if tag != _TRUSTED_CERTIFICATE:
            return None
        alias, position = _read_text(body, position + 4)
        time_at = position
        _, position = _read_text(body, position + 8)
        (length,) = struct.unpack_from(">I", body, position)
        position += 4 + length
        entries.append((alias, body[start:time_at], body[time_at + 8 : position]))
    return entries if position == len(body) else None


def _read_text(body: bytes, position: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from(">H", body, position)
    return body[position + 2 : position + 2 + length], position + 2 + length


def _digest(body: bytes) -> bytes:
    return hashlib.sha1(_PASSWORD + _PHRASE + body, usedforsecurity=False).digest()
