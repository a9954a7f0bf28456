"""What is wanted of Python packages, before anybody is asked."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPackages:
    """What is to be resolved: requirement lines, requirements files, pyproject.toml with some of its groups.

    Paths are relative to the project folder; `constraints` are requirement lines that ask for nothing by themselves.
    """

    requirements: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    project: bool = False
    groups: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
