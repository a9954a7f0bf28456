"""Paths that two packages bring: which one keeps them, decided as dpkg does, whatever the order of unpacking."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labbox.errors import PackageError
from labbox.packages.debian.deb_file import DebControl
from labbox.packages.debian.relations import parse_relations

# Folders that are links into /usr in a system with merged /usr.
_ALIASES = ("/bin/", "/sbin/", "/lib/", "/lib64/", "/lib32/", "/libx32/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """One path in the archives of several packages, and the package whose file stays."""

    path: str
    winner: str
    losers: tuple[str, ...]


def canonical_path(path: str) -> str:
    """The path as it is in a system with merged /usr."""
    return f"/usr{path}" if path.startswith(_ALIASES) else path


def find_overlaps(
    files: Mapping[str, Sequence[str]], controls: Mapping[str, DebControl], diverted: Iterable[str] = ()
) -> list[Overlap]:
    """Every path that several packages bring, with its winner.

    A package that Replaces another keeps the file. Names of one file that differ by merged /usr are unknown to dpkg,
    for which the last unpacked stays: here the last by name. Any other overlap is a PackageError.
    """
    owners: dict[str, list[tuple[str, str]]] = {}
    exempt = {canonical_path(path) for path in diverted}
    for package in sorted(files):
        for path in files[package]:
            owners.setdefault(canonical_path(path), []).append((package, path))
    return [
        _decide(entries, controls)
        for path, entries in sorted(owners.items())
        if len(entries) > 1 and path not in exempt
    ]


def _decide(entries: Sequence[tuple[str, str]], controls: Mapping[str, DebControl]) -> Overlap:
    winner, path = entries[0]
    for package, other_path in entries[1:]:
        if replaces(controls[package], controls[winner].fields) or other_path != path:
            winner, path = package, other_path
        elif not replaces(controls[winner], controls[package].fields):
            raise PackageError(
                f"packages `{winner}` and `{package}` both bring `{path}`, and neither replaces the other"
            )
    losers = tuple(package for package, other_path in entries if package != winner and other_path == path)
    return Overlap(path=path, winner=winner, losers=losers)


def replaces(control: DebControl, other: Mapping[str, str]) -> bool:
    """True when a package's Replaces names another package (given by its fields) in its version."""
    return any(
        relation.name == other["Package"] and relation.accepts(other["Version"])
        for group in parse_relations(control.fields.get("Replaces", ""))
        for relation in group
    )
