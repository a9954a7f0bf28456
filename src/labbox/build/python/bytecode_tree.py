"""Trees of compiled files made fit for a layer, and the sources found that they come from.

For the root of the image: as root, or inside the user namespace of the identity.
"""

import os
import stat
from collections.abc import Iterator

from labbox.build.python.compiling import LAYER_TIME
from labbox.store.ownership import OWNER_XATTR, Ownership, decode_owner, encode_owner

_TIMES = (LAYER_TIME * 10**9, LAYER_TIME * 10**9)
_PACKAGE_FOLDERS = (b"/site-packages/", b"/dist-packages/")
# A package's own tests: a sixth of all sources of a TensorFlow lab, and whoever imports one compiles it then.
_SELDOM_IMPORTED = frozenset({b"tests", b"test"})


def find_sources(layer: str) -> list[tuple[bytes, int]]:
    """The Python modules of a layer that programs import: their paths from its root on (`/opt/...`), sizes; sorted."""
    return sorted(_find(os.fsencode(layer), b""))


def _find(layer: bytes, folder: bytes) -> Iterator[tuple[bytes, int]]:
    with os.scandir(layer + folder) as entries:
        for entry in entries:
            path = folder + b"/" + entry.name
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _SELDOM_IMPORTED:
                    yield from _find(layer, path)
            elif entry.name.endswith(b".py") and entry.is_file(follow_symlinks=False) and _is_importable(path):
                yield path, entry.stat(follow_symlinks=False).st_size


def _is_importable(path: bytes) -> bool:
    return any(folder in path for folder in _PACKAGE_FOLDERS)


def settle_tree(tree: str, layer: str, ownership: Ownership) -> None:
    """Give a tree of compiled files the modes and owners of the layer's folders, and the time of all layers.

    A folder that the layer does not have, and every file, belongs to whom the folder above belongs to.
    """
    _settle(os.fsencode(tree), os.fsencode(layer), (0, 0), ownership)


def _settle(folder: bytes, model: bytes, owner: tuple[int, int], ownership: Ownership) -> None:
    mode = 0o755
    if os.path.isdir(model):
        owner, mode = _owner_of(model, ownership), stat.S_IMODE(os.stat(model).st_mode)
    with os.scandir(folder) as entries:
        found = list(entries)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            _settle(entry.path, model + b"/" + entry.name, owner, ownership)
        else:
            _give(entry.path, owner, 0o644, ownership)
    _give(folder, owner, mode, ownership)


def _owner_of(path: bytes, ownership: Ownership) -> tuple[int, int]:
    if ownership == "kept":
        status = os.stat(path)
        return status.st_uid, status.st_gid
    try:
        return decode_owner(os.getxattr(path, OWNER_XATTR))
    except OSError:  # none is noted
        return 0, 0


def _give(path: bytes, owner: tuple[int, int], mode: int, ownership: Ownership) -> None:
    if owner != (0, 0):
        if ownership == "kept":
            os.chown(path, *owner)
        else:
            os.setxattr(path, OWNER_XATTR, encode_owner(*owner))
    os.chmod(path, mode)
    os.utime(path, ns=_TIMES)
