"""Everything that can be installed: the indexes of several suites seen as one archive."""

import difflib
from collections.abc import Sequence

from labbox.packages.debian.index import BinaryPackage, PackageIndex
from labbox.packages.debian.relations import Relation
from labbox.packages.debian.version import version_key


class Universe:
    """Packages by name and by what they provide. Of each name the newest version counts, as with apt's default pins."""

    def __init__(self, indexes: Sequence[PackageIndex], architecture: str) -> None:
        self._indexes = indexes
        self._architectures = frozenset({architecture, "all"})
        self._chosen_versions: dict[str, str] = {}
        self._candidates: dict[str, BinaryPackage | None] = {}

    def choose_version(self, name: str, version: str) -> None:
        """Let `version` count for a package instead of the newest."""
        self._chosen_versions[name] = version
        self._candidates.pop(name, None)

    def candidate(self, name: str) -> BinaryPackage | None:
        """The version of a package that counts, or None when there is no such package."""
        if name not in self._candidates:
            chosen = self._chosen_versions.get(name)
            versions = [package for package in self.versions(name) if chosen in (None, package.version)]
            self._candidates[name] = versions[0] if versions else None
        return self._candidates[name]

    def versions(self, name: str) -> list[BinaryPackage]:
        """Every version of a package, the newest first."""
        found = [
            package
            for index in self._indexes
            for package in index.packages(name)
            if package.architecture in self._architectures
        ]
        return sorted(found, key=lambda package: version_key(package.version), reverse=True)

    def providers(self, relation: Relation) -> list[BinaryPackage]:
        """Packages that satisfy a relation: the one of that name, then those that provide it as apt ranks them."""
        real = self.candidate(relation.name)
        found = [real] if real is not None and relation.accepts(real.version) else []
        names = {name for index in self._indexes for name in index.providers.get(relation.name, ())}
        names.discard(relation.name)
        others = (self.candidate(name) for name in names)
        virtual = [package for package in others if package is not None and package.satisfies(relation)]
        return found + sorted(virtual, key=_rank)

    def base_packages(self) -> list[BinaryPackage]:
        """What every system has: essential packages, those of priority `required`, and apt."""
        names = {name for index in self._indexes for name in index.base_names}
        candidates = (self.candidate(name) for name in sorted(names | {"apt"}))
        return [
            package
            for package in candidates
            if package and (package.is_essential or package.priority == "required" or package.name == "apt")
        ]

    def nearest_names(self, name: str) -> list[str]:
        """Existing names that look like `name`, the most alike first."""
        names = {known for index in self._indexes for known in index.spans}
        same_start = {known for known in names if known[:2] == name[:2]}
        return difflib.get_close_matches(name, same_start, n=3, cutoff=0.75)


_PRIORITIES = {"required": 0, "important": 1, "standard": 2, "optional": 3, "extra": 4}


def _rank(package: BinaryPackage) -> tuple[bool, int, str]:
    return (not package.is_essential, _PRIORITIES.get(package.priority, 5), package.name)
