"""Files of installed packages that new packages bring too: allowed where the new one Replaces the old."""

import os
from collections.abc import Mapping, Sequence

from labbox.build.debian.database import ADMIN_DIR, read_installed
from labbox.build.debian.overlaps import canonical_path, replaces
from labbox.build.debian.plan import Package
from labbox.errors import PackageError


def take_over_files(packages: Sequence[Package]) -> None:
    """Strike replaced files from the lists of the packages that had them; PackageError where nothing replaces them."""
    replaced = {
        canonical_path(path): package for package in packages if package.unpacked for path in package.unpacked.replaced
    }
    if not replaced:
        return
    installed = {fields["Package"]: fields for fields in read_installed()}
    for name in sorted(os.listdir(f"{ADMIN_DIR}/info")):
        owner = name.removesuffix(".list").partition(":")[0]
        if name.endswith(".list") and owner in installed:
            _strike(f"{ADMIN_DIR}/info/{name}", installed[owner], replaced)


def _strike(path: str, owner: Mapping[str, str], replaced: Mapping[str, Package]) -> None:
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    kept = []
    for line in lines:
        package = replaced.get(canonical_path(line))
        if package is None or package.name == owner["Package"]:
            kept.append(line)
        elif not replaces(package.control, owner):
            raise PackageError(
                f"package `{package.name}` brings `{line}`, which belongs to the installed package"
                f" `{owner['Package']}`, and does not replace it"
            )
    if kept != lines:
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in kept)
