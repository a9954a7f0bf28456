"""Paths that several wheels of one environment bring."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labbox.errors import ArchiveError


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Two packages that bring different files at the same places; the files of `winner` are seen."""

    winner: str
    loser: str
    paths: tuple[str, ...]

    def describe(self) -> str:
        """One sentence for a person."""
        more = f" and {len(self.paths) - 1} more" if len(self.paths) > 1 else ""
        return f"{self.loser} and {self.winner} both bring `/{self.paths[0]}`{more}; that of {self.winner} counts"


def find_overlaps(brought: Iterable[tuple[str, Mapping[str, str]]]) -> list[Overlap]:
    """Overlaps among packages, given what each brings (path → content key), lowest layer first.

    The same content twice is no overlap. Raises ArchiveError when one brings a file where another has a folder.
    """
    holders: dict[str, tuple[str, str]] = {}
    folders: dict[str, str] = {}
    found: dict[tuple[str, str], list[str]] = {}
    for name, contents in brought:
        for path, key in contents.items():
            before = holders.get(path)
            if before is not None and before[1] != key:
                found.setdefault((before[0], name), []).append(path)
            holders[path] = (name, key)
            folder = path.rpartition("/")[0]
            while folder and folder not in folders:
                folders[folder] = name
                folder = folder.rpartition("/")[0]
    for path in folders.keys() & holders.keys():
        raise ArchiveError(
            f"package `{holders[path][0]}` brings a file `/{path}`, which is a folder of package `{folders[path]}`",
            hint="these packages do not fit into one environment: leave one out",
        )
    return [Overlap(loser=loser, winner=winner, paths=tuple(paths)) for (loser, winner), paths in found.items()]
