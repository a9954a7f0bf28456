"""Layers written by hand: from a few entries and their contents, the same bytes in every identity mode."""

import io
from collections.abc import Iterable

from labbox.oci.canonical_tar import END, Kind, TarEntry, encode_entry, padding, sort_key
from labbox.oci.digest import sha256
from labbox.store.extract import extract_layer
from labbox.store.layers import LayerStore
from labbox.store.ownership import SideTable, ownership_of
from labbox.store.pack import pack_tree
from labbox.store.tar_writer import PackedTree

# 1980-01-01, the earliest time that a zip archive can hold: so the layers of wheels have it too.
FIXED_TIME = 315532800
Piece = tuple[TarEntry, bytes]


def file_piece(path: str, content: bytes, *, mode: int = 0o644, owner: int = 0) -> Piece:
    """A file with its content; `path` is absolute."""
    return _entry(path, "file", mode, owner)._replace(size_bytes=len(content)), content


def folder_piece(path: str, *, mode: int = 0o755, owner: int = 0) -> Piece:
    """A folder."""
    return _entry(path, "directory", mode, owner), b""


def link_piece(path: str, target: str, *, owner: int = 0) -> Piece:
    """A symbolic link."""
    return _entry(path, "symlink", 0o777, owner)._replace(target=target.encode()), b""


def encode_layer(pieces: Iterable[Piece]) -> bytes:
    """The canonical tar of pieces that include every folder above them, in any order."""
    ordered = sorted(pieces, key=lambda piece: sort_key(piece[0].path))
    return b"".join(encode_entry(entry) + content + padding(len(content)) for entry, content in ordered) + END


def adopt_archive(archive: bytes, layers: LayerStore) -> PackedTree:
    """Make a canonical tar, no entry of which is younger than FIXED_TIME, a layer of the store.

    Hold `layers.creating()` until an image names the layer.
    """
    diff_id = sha256(archive)
    if layers.has(diff_id):
        record = layers.record(diff_id)
        return PackedTree(diff_id, record.tar_bytes, record.entry_count, record.newest)
    mode = ownership_of(layers.mode)

    def unpack(tree: str) -> tuple[PackedTree, SideTable]:
        side_table = extract_layer(io.BytesIO(archive), tree, mode=mode).side_table
        return pack_tree(tree, mode=mode, newest=FIXED_TIME, side_table=side_table), side_table

    with layers.staging() as tree:
        packed, side_table = layers.run_mapped(lambda: unpack(tree))
        assert packed.diff_id == diff_id, "a layer written by hand is not canonical"
        layers.adopt(tree, packed, side_table=side_table)
    return packed


def _entry(path: str, kind: Kind, mode: int, owner: int) -> TarEntry:
    return TarEntry(path.lstrip("/").encode(), kind, mode, owner, owner, FIXED_TIME)
