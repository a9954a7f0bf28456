"""Which packages to install, chosen as apt chooses them.

A greedy closure over Pre-Depends and Depends, without Recommends: what only one package can satisfy is taken first;
of several alternatives the first that fits what is already chosen, in the order of the control file. A choice that
runs into a conflict later is taken back and the next alternative tried; a conflict without alternatives is an error.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labbox.errors import ResolutionError
from labbox.packages.debian.index import BinaryPackage
from labbox.packages.debian.relations import Alternatives, Relation, format_alternatives
from labbox.packages.debian.universe import Universe

_MAXIMUM_RETRIES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The packages to install, by name; those asked for, and those that belong to every system with what they need."""

    packages: tuple[BinaryPackage, ...]
    manual: frozenset[str]
    base: frozenset[str]


class _Conflict(Exception):  # noqa: N818  (never leaves this file: it starts another attempt)
    def __init__(self, error: ResolutionError, retractable: Sequence[str]) -> None:
        super().__init__(error.message)
        self.error = error
        self.retractable = retractable


def resolve_system(universe: Universe, wanted: Sequence[str], *, base_extras: Sequence[str] = ()) -> Resolution:
    """Every package of a whole system: those that every system has (and `base_extras`), `wanted`, and what they need.

    A package is wanted as `name` or `name=version`. Raises ResolutionError naming an unknown package (with names
    like it), an unmet relation, or a conflict.
    """
    base = universe.base_packages() + _find_requests(universe, base_extras)
    requests = _find_requests(universe, wanted)
    chosen = _solve(universe, [*base, *requests], ())
    return Resolution(
        packages=tuple(sorted(chosen.values(), key=lambda package: package.name)),
        manual=frozenset(package.name for package in [*base, *requests]),
        base=_closure_within(chosen, base),
    )


def resolve_addition(universe: Universe, wanted: Sequence[str], installed: Sequence[BinaryPackage]) -> Resolution:
    """Every package that must be added to `installed` to have `wanted`; what is installed keeps its version."""
    requests = _find_requests(universe, wanted)
    chosen = _solve(universe, requests, installed)
    return Resolution(
        packages=tuple(sorted(chosen.values(), key=lambda package: package.name)),
        manual=frozenset(package.name for package in requests),
        base=frozenset(),
    )


def _find_requests(universe: Universe, wanted: Sequence[str]) -> list[BinaryPackage]:
    return [_find_request(universe, request) for request in dict.fromkeys(wanted)]


def _closure_within(chosen: Mapping[str, BinaryPackage], roots: Sequence[BinaryPackage]) -> frozenset[str]:
    """The names of `roots` and of everything chosen that satisfies a relation of theirs, over and over."""
    reached: set[str] = set()
    pending = [package.name for package in roots]
    while pending:
        name = pending.pop()
        if name in reached:
            continue
        reached.add(name)
        relations = {relation for group in chosen[name].depends for relation in group}
        pending.extend(other.name for other in chosen.values() if any(map(other.satisfies, relations)))
    return frozenset(reached)


def _find_request(universe: Universe, request: str) -> BinaryPackage:
    name, equals, version = request.partition("=")
    if equals:
        universe.choose_version(name, version)
    package = universe.candidate(name)
    if package is not None:
        return package
    if equals and universe.versions(name):
        known = ", ".join(f"`{found.version}`" for found in universe.versions(name))
        raise ResolutionError(f"package `{name}` has no version `{version}`", hint=f"The archive has {known}.")
    providers = universe.providers(Relation(name))
    if len(providers) == 1:
        return providers[0]
    if providers:
        names = ", ".join(f"`{package.name}`" for package in providers[:8])
        raise ResolutionError(
            f"package `{name}` is virtual: several packages provide it", hint=f"Ask for one of {names}."
        )
    nearest = ", ".join(f"`{known}`" for known in universe.nearest_names(name))
    hint = f"Did you mean {nearest}?" if nearest else "Look for its name on https://packages.debian.org."
    raise ResolutionError(f"unknown Debian package `{name}`", hint=hint)


def _solve(
    universe: Universe, roots: Sequence[BinaryPackage], installed: Sequence[BinaryPackage]
) -> dict[str, BinaryPackage]:
    """The closure of `roots`, trying again without the alternatives that led into a conflict."""
    banned: set[str] = set()
    first: _Conflict | None = None
    for _ in range(_MAXIMUM_RETRIES):
        try:
            return _Attempt(universe, installed, frozenset(banned)).run(roots)
        except _Conflict as conflict:
            first = first or conflict
            fresh = [name for name in conflict.retractable if name not in banned]
            if not fresh:
                break
            banned.add(fresh[-1])
    assert first is not None
    raise first.error


class _Attempt:
    """One pass of the greedy closure; `banned` packages are passed over where there is an alternative."""

    def __init__(self, universe: Universe, installed: Sequence[BinaryPackage], banned: frozenset[str]) -> None:
        self._universe = universe
        self._banned = banned
        self._installed = frozenset(package.name for package in installed)
        self._chosen: dict[str, BinaryPackage] = {}
        self._provided: dict[str, list[BinaryPackage]] = {}
        self._excluded: dict[str, list[tuple[BinaryPackage, Relation]]] = {}
        self._reasons: dict[str, str] = {}
        self._optional: list[str] = []  # chosen among alternatives, in order
        self._groups: deque[tuple[BinaryPackage, Alternatives]] = deque()
        self._open_groups: deque[tuple[BinaryPackage, Alternatives]] = deque()
        for package in installed:
            self._record(package, reason="")

    def run(self, roots: Sequence[BinaryPackage]) -> dict[str, BinaryPackage]:
        for package in roots:
            self._choose(package, reason="asked for")
        while self._groups or self._open_groups:
            if self._groups:
                self._settle_single(*self._groups.popleft())
            else:
                self._settle_alternatives(*self._open_groups.popleft())
        return {name: package for name, package in self._chosen.items() if name not in self._installed}

    def _choose(self, package: BinaryPackage, *, reason: str) -> None:
        present = self._chosen.get(package.name)
        if present is not None:
            if present.version != package.version and package.name not in self._installed:
                versions = f"`{present.version}` and `{package.version}`"
                raise self._conflict(f"package `{package.name}` is needed in versions {versions}")
            return
        clash = self._find_clash(package)
        if clash is not None:
            raise self._clash_error(package, clash, reason)
        self._record(package, reason=reason)
        self._groups.extend((package, group) for group in package.depends)

    def _record(self, package: BinaryPackage, *, reason: str) -> None:
        self._chosen[package.name] = package
        self._reasons[package.name] = reason
        for name in {package.name, *(provided.name for provided in package.provides)}:
            self._provided.setdefault(name, []).append(package)
        for group in package.excludes:
            for relation in group:
                self._excluded.setdefault(relation.name, []).append((package, relation))

    def _settle_single(self, package: BinaryPackage, group: Alternatives) -> None:
        """Take what only one package can satisfy; put the rest off until everything certain is chosen."""
        if self._is_satisfied(group):
            return
        possible = self._possible(group)
        if len(possible) == 1:
            self._choose(possible[0], reason=f"needed by `{package.name}`")
        elif possible:
            self._open_groups.append((package, group))
        else:
            raise self._unmet_error(package, group)

    def _settle_alternatives(self, package: BinaryPackage, group: Alternatives) -> None:
        if self._is_satisfied(group):
            return
        possible = self._possible(group)
        fitting = [candidate for candidate in possible if self._find_clash(candidate) is None]
        preferred = [candidate for candidate in fitting if candidate.name not in self._banned] or fitting
        if len(fitting) > 1:
            self._optional.append(preferred[0].name)
        # With none that fits, choosing the first of all says with what it clashes.
        self._choose((preferred or possible)[0], reason=f"needed by `{package.name}`")

    def _possible(self, group: Alternatives) -> list[BinaryPackage]:
        """Packages of the archive that satisfy one of the alternatives, in their order, each once."""
        found: dict[str, BinaryPackage] = {}
        for relation in group:
            for package in self._universe.providers(relation):
                present = self._chosen.get(package.name)
                if present is None or present.version == package.version:
                    found.setdefault(package.name, package)
        return list(found.values())

    def _is_satisfied(self, group: Alternatives) -> bool:
        return any(
            package.satisfies(relation) for relation in group for package in self._provided.get(relation.name, ())
        )

    def _find_clash(self, package: BinaryPackage) -> BinaryPackage | None:
        """A chosen package that excludes this one, or that this one excludes; a package never excludes itself."""
        for name in {package.name, *(provided.name for provided in package.provides)}:
            for other, relation in self._excluded.get(name, ()):
                if other.name != package.name and package.satisfies(relation):
                    return other
        for group in package.excludes:
            for relation in group:
                for other in self._provided.get(relation.name, ()):
                    if other.name != package.name and other.satisfies(relation):
                        return other
        return None

    def _clash_error(self, package: BinaryPackage, other: BinaryPackage, reason: str) -> _Conflict:
        return self._conflict(
            f"packages `{package.name}` ({reason}) and `{other.name}` ({self._explain(other.name)})"
            " cannot be installed together",
        )

    def _unmet_error(self, package: BinaryPackage, group: Alternatives) -> _Conflict:
        return self._conflict(
            f"package `{package.name}` {package.version} ({self._explain(package.name)}) needs"
            f" `{format_alternatives(group)}`, which the archive does not have",
        )

    def _conflict(self, message: str) -> _Conflict:
        return _Conflict(ResolutionError(message, hint="Remove one of the packages asked for."), tuple(self._optional))

    def _explain(self, name: str) -> str:
        return self._reasons.get(name) or "already installed"


def parse_wanted(text: str) -> list[str]:
    """Package names of a comma-separated list, such as `--include` takes."""
    return [name.strip() for name in text.split(",") if name.strip()]
