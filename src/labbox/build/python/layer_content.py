"""The content of a layer of wheels: every entry of its tar in canonical order, as a value. Layout 1."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from labbox.build.python.target import MTIME, Target
from labbox.build.python.wheel_file import Wheel
from labbox.build.python.wheel_layout import PlacedFile, content_key, place_files
from labbox.errors import ArchiveError
from labbox.oci.canonical_tar import TarEntry

_FOLDER_MODE = 0o755


class LayerFile(NamedTuple):
    """A file of a layer and the wheel that it comes from, by its number."""

    file: PlacedFile
    wheel: int


class LayerEntry(NamedTuple):
    """A folder (`source` is None) or a file of a layer, as its tar has it."""

    entry: TarEntry
    source: LayerFile | None


class LayerContent(NamedTuple):
    """A layer: its entries in order, and what each wheel brings (path → content key), also where another hides it."""

    entries: list[LayerEntry]
    file_names: tuple[str, ...]
    brought: list[tuple[str, dict[str, str]]]


def lay_out(wheels: Sequence[Wheel], target: Target) -> LayerContent:
    """The layer of some wheels, in the order of the last counting where two bring one path."""
    chosen: dict[str, LayerFile] = {}
    brought: list[tuple[str, dict[str, str]]] = []
    for number, wheel in enumerate(wheels):
        files = place_files(wheel, target)
        brought.append((wheel.name, {file.path: content_key(file) for file in files}))
        for file in files:
            chosen[file.path] = LayerFile(file, number)
    names = tuple(wheel.file_name for wheel in wheels)
    return LayerContent(list(_entries(chosen, names, target)), names, brought)


def _entries(chosen: dict[str, LayerFile], names: Sequence[str], target: Target) -> Iterator[LayerEntry]:
    """All entries in the order of `canonical_tar.sort_key`, each folder before what is in it.

    No name starts with `.wh.` (the wheel's reader sees to it), so the order is that of the path's components.
    """
    prefix = target.prefix.strip("/")
    made: set[bytes] = set()
    for path in sorted(chosen, key=lambda path: path.encode().replace(b"/", b"\0")):
        source, raw = chosen[path], path.encode()
        for folder in _missing_folders(raw, made):
            if folder.decode() in chosen:
                other = names[chosen[folder.decode()].wheel]
                raise ArchiveError(
                    f"`{folder.decode()}` is a file of `{other}` and a folder of `{names[source.wheel]}`"
                )
            is_inside = folder.decode() == prefix or folder.startswith(prefix.encode() + b"/")
            owner = (target.uid, target.gid) if is_inside else (0, 0)
            yield LayerEntry(TarEntry(folder, "directory", _FOLDER_MODE, *owner, mtime=MTIME), None)
        file = source.file
        yield LayerEntry(TarEntry(raw, "file", file.mode, target.uid, target.gid, MTIME, file.size_bytes), source)


def _missing_folders(path: bytes, made: set[bytes]) -> list[bytes]:
    """The folders above a path that are not in `made`, outermost first; they are now."""
    missing: list[bytes] = []
    folder = path.rpartition(b"/")[0]
    while folder and folder not in made:
        made.add(folder)
        missing.append(folder)
        folder = folder.rpartition(b"/")[0]
    return missing[::-1]
