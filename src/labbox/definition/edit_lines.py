"""A file of lines (requirements.txt, apt.txt) with packages added or taken out; all other lines stay as they are."""

import re
from collections.abc import Callable, Iterator

_CONTINUED = re.compile(r"\\\s*$")


def add_requirement(text: str, requirement: str, name_of: Callable[[str], str]) -> str:
    """The text of a requirements file with a requirement, in place of the one of the same name."""
    entries = list(_entries(text))
    for position, entry in enumerate(entries):
        if _is_of(entry, name_of(requirement), name_of):
            entries[position] = f"{requirement}{_comment(entry)}\n"
            return "".join(entries)
    return _ended("".join(entries)) + f"{requirement}\n"


def remove_requirement(text: str, name: str, name_of: Callable[[str], str]) -> str | None:
    """The text of a requirements file without a requirement; None when it has none of that name."""
    entries = list(_entries(text))
    kept = [entry for entry in entries if not _is_of(entry, name, name_of)]
    return "".join(kept) if len(kept) < len(entries) else None


def add_word(text: str, word: str) -> str:
    """The text of apt.txt with a package, in place of the same package in another version."""
    name = word.partition("=")[0]
    without = remove_word(text, name)
    return _ended(text if without is None else without) + f"{word}\n"


def remove_word(text: str, name: str) -> str | None:
    """The text of apt.txt without a package; None when it is not there."""
    found = False
    lines = []
    for line in text.splitlines(keepends=True):
        code, mark, comment = line.partition("#")
        kept = re.sub(rf"(?<!\S){re.escape(name)}(=\S+)?(?!\S)[ \t]*", "", code)
        if kept != code:
            found = True
            if not kept.strip() and not mark:
                continue
        lines.append(f"{kept}{mark}{comment}")
    return "".join(lines) if found else None


def _entries(text: str) -> Iterator[str]:
    """The lines of a text, each with those that continue it."""
    entry = ""
    for line in text.splitlines(keepends=True):
        entry += line
        if not _CONTINUED.search(line):
            yield entry
            entry = ""
    if entry:
        yield entry


def _is_of(entry: str, name: str, name_of: Callable[[str], str]) -> bool:
    first = re.split(r"\s--|\s#|\\", entry)[0].strip()
    return bool(first) and not first.startswith(("#", "-")) and name_of(first) == name


def _comment(entry: str) -> str:
    found = re.search(r"[ \t]+#.*$", entry.rstrip("\r\n"))
    return found.group(0) if found else ""


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
