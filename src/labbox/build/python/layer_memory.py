"""What layers of wheels came out as, so that the same wheels are not laid out twice on one machine.

    <cache>/wheel-layers/<key>.json    digests and sizes of a layer
    <cache>/wheel-layers/<key>.paths   what each of its packages brings, to find overlaps with other layers

The key is the hash of everything that shapes the layer. Records are true in every mode; files are small.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labbox.build.python.layer_overlaps import Overlap
from labbox.build.python.layer_plan import PlannedLayer
from labbox.build.python.target import Target
from labbox.errors import UsageError
from labbox.files import make_private_folder, read_json, write_atomic, write_json
from labbox.lock.lab import LAYOUT_VERSION
from labbox.oci.descriptor import Descriptor
from labbox.oci.digest import Digest, parse_digest
from labbox.oci.media_types import OCI_LAYER_GZIP

_FORMAT = 1
_FOLDER = "wheel-layers"
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, UsageError)


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeLayer:
    """A layer: its tar (`diff_id`, length, entries) and its gzip file, which is made from the wheels on demand."""

    diff_id: Digest
    tar_bytes: int
    entry_count: int
    descriptor: Descriptor


Brought = Sequence[tuple[str, Mapping[str, str]]]


class LayerMemory:
    """Remembered layers below `cache_dir`. A damaged record is no record."""

    def __init__(self, cache_dir: str) -> None:
        self._folder = os.path.join(cache_dir, _FOLDER)

    def find(self, key: str) -> MadeLayer | None:
        """The layer with this key, if it was made before."""
        try:
            document = read_json(self._path(key, "json"))
            if document["version"] != _FORMAT:
                return None
            blob = Descriptor(OCI_LAYER_GZIP, parse_digest(document["digest"]), int(document["size"]))
            return MadeLayer(
                diff_id=parse_digest(document["diff_id"]),
                tar_bytes=int(document["tar_bytes"]),
                entry_count=int(document["entry_count"]),
                descriptor=blob,
            )
        except _UNREADABLE:
            return None

    def remember(self, key: str, layer: MadeLayer, brought: Brought) -> None:
        """Note a layer."""
        make_private_folder(self._folder)
        lines = [f"{package}\t{content}\t{path}" for package, contents in brought for path, content in contents.items()]
        write_atomic(self._path(key, "paths"), "\n".join(lines).encode(), durable=False)
        document = {
            "version": _FORMAT,
            "diff_id": str(layer.diff_id),
            "tar_bytes": layer.tar_bytes,
            "entry_count": layer.entry_count,
            "digest": str(layer.descriptor.digest),
            "size": layer.descriptor.size_bytes,
        }
        write_json(self._path(key, "json"), document, durable=False)

    def brought(self, key: str) -> Brought:
        """What each package of a remembered layer brings; nothing when that is lost."""
        packages: dict[str, dict[str, str]] = {}
        try:
            with open(self._path(key, "paths"), encoding="utf-8") as file:
                for line in file.read().split("\n"):
                    package, content, path = line.split("\t", 2)
                    packages.setdefault(package, {})[path] = content
        except _UNREADABLE:
            return []
        return list(packages.items())

    def find_overlaps(self, keys: Sequence[str]) -> list[Overlap] | None:
        """The overlaps among layers that were noted for exactly these."""
        try:
            document = read_json(self._path(_hash(keys), "overlaps.json"))
            return [
                Overlap(winner=winner, loser=loser, paths=tuple(paths)) for winner, loser, paths in document["overlaps"]
            ]
        except _UNREADABLE:
            return None

    def remember_overlaps(self, keys: Sequence[str], overlaps: Iterable[Overlap]) -> None:
        """Note the overlaps among layers."""
        make_private_folder(self._folder)
        document = {"overlaps": [[overlap.winner, overlap.loser, overlap.paths] for overlap in overlaps]}
        write_json(self._path(_hash(keys), "overlaps.json"), document, durable=False)

    def _path(self, key: str, suffix: str) -> str:
        return os.path.join(self._folder, f"{key}.{suffix}")


def layer_key(layer: PlannedLayer, target: Target) -> str:
    """The hash of everything that shapes a layer: layout, tree and wheels in order."""
    parts = [target.prefix, target.language, target.uid, target.gid]
    return _hash([LAYOUT_VERSION, *parts, *([wheel.file_name, wheel.sha256] for wheel in layer.wheels)])


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
