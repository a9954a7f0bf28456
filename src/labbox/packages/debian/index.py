"""A suite's package index: found by name without parsing all of it, and kept parsed in the cache.

An index has some 65,000 paragraphs, of which a resolution reads a few hundred. So a scan notes where each paragraph
lies and who provides what; a paragraph becomes a BinaryPackage only when asked for.
"""

import json
import lzma
import mmap
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labbox.errors import DigestMismatchError
from labbox.files import make_private_folder, write_atomic
from labbox.packages.debian.control import parse_paragraph
from labbox.packages.debian.relations import Alternatives, Relation, parse_relations

_FORMAT = 1
_KEPT_INDEXES = 12
_PROVIDED_NAME = re.compile(rb"[a-zA-Z0-9][a-zA-Z0-9+.\-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryPackage:
    """A package of an index: what it needs, what it excludes, and its file in the archive's pool."""

    name: str
    version: str
    architecture: str
    archive: str
    path: str
    size: int
    sha256: str
    depends: tuple[Alternatives, ...] = ()
    excludes: tuple[Alternatives, ...] = ()  # Conflicts and Breaks
    provides: tuple[Relation, ...] = ()
    is_essential: bool = False
    priority: str = "optional"
    multi_arch: str = "no"

    def provided_version(self, name: str) -> tuple[bool, str | None]:
        """Whether the package provides `name`, and in which version (its own name counts, in its own version)."""
        if name == self.name:
            return True, self.version
        for provided in self.provides:
            if provided.name == name:
                return True, provided.version or None
        return False, None

    def satisfies(self, relation: Relation) -> bool:
        """True when this package, by its own name or by what it provides, satisfies the relation."""
        if relation.name == self.name and relation.accepts(self.version):
            return True
        return any(
            provided.name == relation.name and relation.accepts_provided(provided.version or None)
            for provided in self.provides
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageIndex:
    """The packages of one suite and component. `spans` has, for each name, where its paragraphs begin and end."""

    archive: str
    text: "bytes | mmap.mmap"
    spans: Mapping[str, Sequence[tuple[int, int]]]
    providers: Mapping[str, Sequence[str]]
    base_names: Sequence[str]  # essential, or of priority `required`
    _parsed: dict[tuple[int, int], BinaryPackage] = field(default_factory=dict, repr=False)

    def packages(self, name: str) -> Iterator[BinaryPackage]:
        """Every version of a package in this index."""
        for start, end in self.spans.get(name, ()):
            package = self._parsed.get((start, end))
            if package is None:
                package = _parse_package(self.text[start:end].decode(), self.archive)
                self._parsed[start, end] = package
            yield package


class IndexCache:
    """Package indexes that were read before, by the sha256 of their compressed file."""

    def __init__(self, cache_dir: str) -> None:
        self._folder = os.path.join(cache_dir, "debian", "indexes")

    def load(self, sha256: str, archive: str, fetch: Callable[[], bytes]) -> PackageIndex:
        """The index whose Packages.xz has this sha256: from the cache, else from what `fetch` returns."""
        path = os.path.join(self._folder, sha256)
        try:
            return _read_cached(path, archive)
        except (OSError, ValueError, KeyError, TypeError):  # not there, or damaged: made again
            make_private_folder(self._folder)
        index = scan_index(decompress_index(fetch(), sha256), archive)
        summary = {
            "format": _FORMAT,
            "size": len(index.text),
            "spans": index.spans,
            "providers": index.providers,
            "base_names": index.base_names,
        }
        write_atomic(path, bytes(index.text), durable=False)
        write_atomic(f"{path}.json", json.dumps(summary, separators=(",", ":")).encode(), durable=False)
        self._prune()
        return index

    def _prune(self) -> None:
        """Remove the indexes that were used longest ago."""
        paths = [os.path.join(self._folder, name) for name in os.listdir(self._folder) if len(name) == 64]
        for path in sorted(paths, key=os.path.getmtime)[:-_KEPT_INDEXES]:
            for victim in (f"{path}.json", path):
                if os.path.exists(victim):
                    os.unlink(victim)


def decompress_index(compressed: bytes, sha256: str) -> bytes:
    """The text of a Packages.xz file (the caller has checked its sha256)."""
    try:
        return lzma.decompress(compressed, format=lzma.FORMAT_XZ)
    except lzma.LZMAError as error:
        raise DigestMismatchError(f"package index `{sha256}` is not an xz file") from error


def scan_index(text: bytes, archive: str) -> PackageIndex:
    """Note where each paragraph lies, what it provides, and whether it belongs to every system."""
    spans: dict[str, list[tuple[int, int]]] = {}
    providers: dict[str, list[str]] = {}
    base_names: list[str] = []
    find, start, length = text.find, 0, len(text)
    while start < length:
        end = find(b"\n\n", start)
        end = length if end < 0 else end
        name_end = find(b"\n", start, end)
        if text.startswith(b"Package: ", start) and name_end > 0:
            name = text[start + 9 : name_end].decode()
            spans.setdefault(name, []).append((start, end))
            if find(b"\nPriority: required\n", start, end) > 0 or find(b"\nEssential: yes", start, end) > 0:
                base_names.append(name)
            provides = find(b"\nProvides: ", start, end)
            if provides > 0:
                for provided in text[provides + 11 : find(b"\n", provides + 1, end + 1)].split(b","):
                    match = _PROVIDED_NAME.search(provided)
                    if match:
                        providers.setdefault(match[0].decode(), []).append(name)
        start = end + 2
    return PackageIndex(archive=archive, text=text, spans=spans, providers=providers, base_names=base_names)


def _read_cached(path: str, archive: str) -> PackageIndex:
    with open(f"{path}.json", "rb") as file:
        summary: dict[str, Any] = json.loads(file.read())
    with open(path, "rb") as file:
        text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if summary["format"] != _FORMAT or len(text) != summary["size"]:
        raise ValueError(path)
    os.utime(path)
    return PackageIndex(
        archive=archive,
        text=text,
        spans={name: [(start, end) for start, end in spans] for name, spans in summary["spans"].items()},
        providers=summary["providers"],
        base_names=summary["base_names"],
    )


def _parse_package(paragraph: str, archive: str) -> BinaryPackage:
    fields = parse_paragraph(paragraph)
    provides = parse_relations(fields.get("Provides", ""))
    return BinaryPackage(
        name=fields["Package"],
        version=fields["Version"],
        architecture=fields["Architecture"],
        archive=archive,
        path=fields["Filename"],
        size=int(fields["Size"]),
        sha256=fields["SHA256"],
        depends=parse_relations(fields.get("Pre-Depends", "")) + parse_relations(fields.get("Depends", "")),
        excludes=parse_relations(fields.get("Conflicts", "")) + parse_relations(fields.get("Breaks", "")),
        provides=tuple(group[0] for group in provides),
        is_essential=fields.get("Essential") == "yes",
        priority=fields.get("Priority", "optional"),
        multi_arch=fields.get("Multi-Arch", "no"),
    )
