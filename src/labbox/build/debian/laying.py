"""Many packages' files laid at once, and what must be set right afterwards, whatever the order was."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from labbox.build.children import Report
from labbox.build.debian import database
from labbox.build.debian.overlaps import canonical_path, find_overlaps
from labbox.build.debian.plan import Package, PackageFile
from labbox.build.debian.unpack import Attributes, UnpackedPackage, Unpacker
from labbox.build.debian.workers import run_in_workers
from labbox.packages.debian.deb_file import DebControl

_MOUNTED = ("/dev", "/proc", "/sys")
_STATOVERRIDES = "/var/lib/dpkg/statoverride"


def read_and_lay(
    files: Sequence[PackageFile], unpacker: Unpacker, *, lays: Callable[[PackageFile], bool], report: Report
) -> list[Package]:
    """Read the control part of every package, and lay the files of those that `lays` picks; in parallel."""

    def work(file: PackageFile) -> tuple[DebControl, UnpackedPackage | None]:
        control = file.deb.read_control()
        return control, _lay(Package(file=file, control=control), unpacker) if lays(file) else None

    ordered = sorted(files, key=lambda file: (not lays(file), -file.size, file.name))
    laid = sum(1 for file in files if lays(file))
    answers = run_in_workers(work, ordered, progress=lambda done, _: report("unpack", min(done, laid), len(files)))
    pairs = zip(ordered, answers, strict=True)
    return [Package(file=file, control=control, unpacked=unpacked) for file, (control, unpacked) in pairs]


def lay_rest(packages: Sequence[Package], unpacker: Unpacker, report: Report) -> list[Package]:
    """All packages with their files laid; those that were laid before stay as they are."""
    waiting = sorted(
        (package for package in packages if package.unpacked is None), key=lambda package: -package.file.size
    )
    before = len(packages) - len(waiting)
    answers = run_in_workers(
        lambda package: _lay(package, unpacker),
        waiting,
        progress=lambda done, _: report("unpack", before + done, len(packages)),
    )
    laid = [replace(package, unpacked=unpacked) for package, unpacked in zip(waiting, answers, strict=True)]
    return [*(package for package in packages if package.unpacked is not None), *laid]


def settle_overlaps(packages: Sequence[Package], unpacker: Unpacker) -> None:
    """Lay those files again that several packages bring, from the package whose file stays."""
    by_name = {package.name: package for package in packages}
    files = {package.name: _unpacked(package).files for package in packages}
    controls = {package.name: package.control for package in packages}
    again: dict[str, set[str]] = {}
    for overlap in find_overlaps(files, controls, unpacker.diversions):
        again.setdefault(overlap.winner, set()).add(overlap.path)
        for loser in overlap.losers:
            _unpacked(by_name[loser]).paths.remove(overlap.path)
            _unpacked(by_name[loser]).conffiles.pop(overlap.path, None)
            database.write_paths(by_name[loser].database_entry())
    for name, paths in again.items():
        package = by_name[name]
        laid = unpacker.unpack(package.file.deb, name, frozenset(package.control.conffiles), only=frozenset(paths))
        _unpacked(package).conffiles.update(laid.conffiles)


def settle_folders(packages: Sequence[Package], unpacker: Unpacker, *, is_new: Callable[[str], bool]) -> None:
    """Give each folder the attributes of the first package that has it: base-files, then base packages, then by name.

    Folders that were there before (not `is_new`), links to folders, and mount points keep what they have.
    """
    ranked = sorted(
        packages, key=lambda package: (package.name != "base-files", not package.file.essential, package.name)
    )
    seen: set[str] = set()
    for package in ranked:
        for path, attributes in _unpacked(package).folders.items():
            name = canonical_path(path)
            if name in seen:
                continue
            seen.add(name)
            if name not in _MOUNTED and not os.path.islink(path) and is_new(path):
                _set_attributes(path, attributes, unpacker)


def apply_statoverrides(unpacker: Unpacker) -> None:
    """Set owners and permissions that scripts asked dpkg to keep, as dpkg does on unpacking (dpkg-statoverride(1))."""
    users, groups = _read_ids("/etc/passwd"), _read_ids("/etc/group")
    with open(_STATOVERRIDES, encoding="utf-8") as file:
        lines = [line.split(" ", 3) for line in file.read().splitlines()]
    for user, group, mode, path in (line for line in lines if len(line) == 4):
        if os.path.lexists(path) and not os.path.islink(path):
            attributes = Attributes(mode=int(mode, 8), uid=_find_id(user, users), gid=_find_id(group, groups))
            _set_attributes(path, attributes, unpacker)


def set_named_owner(path: str, user: str, group: str, unpacker: Unpacker) -> None:
    """Give a file or folder that is there to a user and a group of the new system, if it knows them."""
    uid, gid = _read_ids("/etc/passwd").get(user), _read_ids("/etc/group").get(group)
    if uid is not None and gid is not None and os.path.lexists(path):
        unpacker.set_owner(path, uid, gid)


def _lay(package: Package, unpacker: Unpacker) -> UnpackedPackage:
    """Lay one package's files, and its control files where dpkg keeps them."""
    unpacked = unpacker.unpack(package.file.deb, package.name, frozenset(package.control.conffiles))
    database.write_info(replace(package, unpacked=unpacked).database_entry())
    return unpacked


def _unpacked(package: Package) -> UnpackedPackage:
    assert package.unpacked is not None
    return package.unpacked


def _set_attributes(path: str, attributes: Attributes, unpacker: Unpacker) -> None:
    unpacker.set_owner(path, attributes.uid, attributes.gid)
    os.chmod(path, attributes.mode)


def _read_ids(path: str) -> dict[str, int]:
    try:
        with open(path, encoding="utf-8") as file:
            fields = [line.split(":") for line in file.read().splitlines()]
    except FileNotFoundError:
        return {}
    return {entry[0]: int(entry[2]) for entry in fields if len(entry) > 2 and entry[2].isdigit()}


def _find_id(name: str, ids: Mapping[str, int]) -> int:
    return int(name[1:]) if name.startswith("#") else ids.get(name, 0)


def all_paths(packages: Iterable[Package]) -> list[str]:
    """Every path that the packages brought."""
    return [path for package in packages for path in _unpacked(package).paths]
