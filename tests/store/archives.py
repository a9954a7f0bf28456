"""Archives written entry by entry, with any name and any lie in them."""

from typing import Any

from labbox.oci.canonical_tar import END, TarEntry, encode_entry, padding

Piece = tuple[TarEntry, bytes]


def file(path: str | bytes, content: bytes = b"", mode: int = 0o644, **fields: Any) -> Piece:
    """A file with its content."""
    return TarEntry(_bytes(path), "file", mode, size_bytes=len(content), **fields), content


def folder(path: str | bytes, mode: int = 0o755, **fields: Any) -> Piece:
    """A folder."""
    return TarEntry(_bytes(path), "directory", mode, **fields), b""


def symlink(path: str | bytes, target: str | bytes, **fields: Any) -> Piece:
    """A symbolic link."""
    return TarEntry(_bytes(path), "symlink", 0o777, target=_bytes(target), **fields), b""


def hardlink(path: str | bytes, target: str | bytes) -> Piece:
    """A hard link."""
    return TarEntry(_bytes(path), "hardlink", 0o644, target=_bytes(target)), b""


def node(path: str, kind: Any, device: tuple[int, int] = (0, 0), mode: int = 0o600, **fields: Any) -> Piece:
    """A device node or a pipe."""
    return TarEntry(_bytes(path), kind, mode, device=device, **fields), b""


def tar(*pieces: Piece) -> bytes:
    """The archive of these pieces, in this order."""
    return b"".join(encode_entry(entry) + content + padding(len(content)) for entry, content in pieces) + END


def _bytes(path: str | bytes) -> bytes:
    return path.encode() if isinstance(path, str) else path
