"""dpkg's database as dpkg would have left it after unpacking, written without dpkg (dpkg's doc/, deb-*(5))."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labbox.packages.debian.control import parse_paragraphs
from labbox.packages.debian.deb_file import DebControl

ADMIN_DIR = "/var/lib/dpkg"
_EXECUTABLE = frozenset({"preinst", "postinst", "prerm", "postrm", "config"})
# Read by dpkg from other places, so they are not kept in `info/`.
_NOT_KEPT = frozenset({"control"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseEntry:
    """A package as the database knows it: its control part, its paths, and the md5 of each of its conffiles."""

    control: DebControl
    paths: Sequence[str]
    conffiles: Mapping[str, str]

    @property
    def name(self) -> str:
        """The package's name."""
        return self.control.fields["Package"]

    @property
    def file_stem(self) -> str:
        """How its files in `info/` begin: with the architecture where several may be installed at once."""
        if self.control.fields.get("Multi-Arch") == "same":
            return f"{self.name}:{self.control.fields['Architecture']}"
        return self.name

    def status_paragraph(self) -> str:
        """Its paragraph in `status`, unpacked and not yet configured."""
        head, newline, rest = self.control.text.partition("\n")
        text = f"{head}\nStatus: install ok unpacked\n{rest}" if newline else f"{head}\nStatus: install ok unpacked\n"
        text = text.rstrip("\n") + "\n"
        lines = [f" {path} {self.conffiles[path]}\n" for path in self.control.conffiles if path in self.conffiles]
        lines += [f" {path} newconffile remove-on-upgrade\n" for path in self.control.removed_conffiles]
        return text + ("Conffiles:\n" + "".join(lines) if lines else "")


def create_database(architecture: str) -> None:
    """An empty database in the system around this process."""
    for folder in ("info", "updates", "triggers", "alternatives", "parts", "tmp.ci"):
        os.makedirs(f"{ADMIN_DIR}/{folder}", 0o755, exist_ok=True)
    for name in ("status", "available", "diversions", "statoverride"):
        _write(f"{ADMIN_DIR}/{name}", "")
    _write(f"{ADMIN_DIR}/arch", f"{architecture}\n")
    _write(f"{ADMIN_DIR}/info/format", "1\n")


def record_unpacked(entries: Sequence[DatabaseEntry]) -> None:
    """Add packages to the database as unpacked: status and interest in triggers. Their `write_info` is done before."""
    with open(f"{ADMIN_DIR}/status", "a", encoding="utf-8") as status:
        status.writelines(entry.status_paragraph() + "\n" for entry in sorted(entries, key=lambda entry: entry.name))
    _record_interests(entries)


def forget_packages() -> None:
    """Take back what `record_unpacked` wrote."""
    _write(f"{ADMIN_DIR}/status", "")
    for name in os.listdir(f"{ADMIN_DIR}/triggers"):
        if name not in ("Unincorp", "Lock"):
            os.unlink(f"{ADMIN_DIR}/triggers/{name}")


def write_info(entry: DatabaseEntry) -> None:
    """Write a package's list of files, its scripts and its other control files into `info/`."""
    write_paths(entry)
    for name, content in entry.control.files.items():
        if name in _NOT_KEPT or not re.fullmatch(r"[a-z0-9]+", name):
            continue
        path = f"{ADMIN_DIR}/info/{entry.file_stem}.{name}"
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, 0o755 if name in _EXECUTABLE else 0o644)


def write_paths(entry: DatabaseEntry) -> None:
    """Write a package's list of files."""
    _write(f"{ADMIN_DIR}/info/{entry.file_stem}.list", "".join(f"{path}\n" for path in entry.paths))


def record_automatic(entries: Iterable[DatabaseEntry], manual: frozenset[str]) -> None:
    """Tell apt which packages were pulled in by others, so that `apt autoremove` knows them (extended_states)."""
    path = "/var/lib/apt/extended_states"
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    blocks = [
        f"Package: {entry.name}\nArchitecture: {entry.control.fields['Architecture']}\nAuto-Installed: 1\n\n"
        for entry in sorted(entries, key=lambda entry: entry.name)
        if entry.name not in manual
    ]
    with open(path, "a", encoding="utf-8") as file:
        file.write("".join(blocks))


def read_diversions() -> dict[str, tuple[str, str]]:
    """Diverted paths: path → (where it goes, the package whose own file stays) (dpkg-divert(1))."""
    try:
        with open(f"{ADMIN_DIR}/diversions", encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return {}
    return {lines[at]: (lines[at + 1], lines[at + 2]) for at in range(0, len(lines) - 2, 3)}


def installed_interests() -> list[str]:
    """Paths in which some package has a file trigger interest (triggers/File)."""
    try:
        with open(f"{ADMIN_DIR}/triggers/File", encoding="utf-8") as file:
            return sorted({line.rpartition(" ")[0] for line in file.read().splitlines() if " " in line})
    except FileNotFoundError:
        return []


def activate_file_triggers(paths: Iterable[str]) -> None:
    """Note what dpkg notes while it unpacks: that files came into places some installed package watches."""
    touched = set(paths)
    hit = [
        interest
        for interest in installed_interests()
        if interest in touched or any(path.startswith(f"{interest}/") for path in touched)
    ]
    if hit:
        with open(f"{ADMIN_DIR}/triggers/Unincorp", "a", encoding="utf-8") as file:
            file.writelines(f"{interest} -\n" for interest in hit)


def read_installed() -> list[dict[str, str]]:
    """Paragraphs of `status` of the packages that are installed."""
    with open(f"{ADMIN_DIR}/status", encoding="utf-8") as file:
        paragraphs = list(parse_paragraphs(file.read()))
    return [fields for fields in paragraphs if fields.get("Status", "").endswith(" installed")]


def _record_interests(entries: Sequence[DatabaseEntry]) -> None:
    """Interests by file path in `triggers/File`, others in a file named as the trigger (deb-triggers(5))."""
    by_file: dict[str, list[str]] = {}
    for entry in sorted(entries, key=lambda entry: entry.name):
        for directive, trigger in _interests(entry.control):
            owner = entry.file_stem + ("/noawait" if directive == "interest-noawait" else "")
            file_name, line = ("File", f"{trigger} {owner}") if trigger.startswith("/") else (trigger, owner)
            by_file.setdefault(file_name, []).append(line)
    for file_name, lines in by_file.items():
        with open(f"{ADMIN_DIR}/triggers/{file_name}", "a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)


def _interests(control: DebControl) -> list[tuple[str, str]]:
    lines = control.files.get("triggers", b"").decode().splitlines()
    pairs = [line.partition("#")[0].split() for line in lines]
    return [(pair[0], pair[1]) for pair in pairs if len(pair) == 2 and pair[0].startswith("interest")]


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
