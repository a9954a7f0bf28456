"""More packages on a system that is there: unpack, register and configure them, and leave the rest untouched.

Runs as process 1 of a chamber whose root is an overlay: what is written becomes the new layer, so nothing is opened for
writing that does not change. What dpkg does to a system while it unpacks (file triggers of packages that are installed)
is done here.
"""

import os
import shutil
from collections.abc import Sequence

from labbox.build.children import Report
from labbox.build.debian import database, normalise
from labbox.build.debian.assemble import (
    correct_owners,
    cure_bytecode,
    prepare_configuration,
)
from labbox.build.debian.configuring import configure_all, run_preinsts
from labbox.build.debian.laying import (
    all_paths,
    apply_statoverrides,
    lay_rest,
    read_and_lay,
    settle_folders,
    settle_overlaps,
)
from labbox.build.debian.plan import AssemblyPlan, Package
from labbox.build.debian.programs import ProgramRunner
from labbox.build.debian.takeover import take_over_files
from labbox.build.debian.unpack import Unpacker

_FONTS = "/usr/share/fonts"
_FONT_CACHE = "/var/cache/fontconfig"


def extend_system(plan: AssemblyPlan, runner: ProgramRunner, report: Report) -> None:
    """Add the plan's packages to the system around this process."""
    unpacker = Unpacker(ownership=plan.ownership, newest=plan.epoch)
    packages = read_and_lay(plan.packages, unpacker, lays=lambda _: False, report=report)
    run_preinsts(packages, runner)

    unpacker = Unpacker(ownership=plan.ownership, newest=plan.epoch, diversions=database.read_diversions())
    packages = lay_rest(packages, unpacker, report)
    made = {path for package in packages if package.unpacked for path in package.unpacked.made}
    take_over_files(packages)
    settle_overlaps(packages, unpacker)
    settle_folders(packages, unpacker, is_new=made.__contains__)
    apply_statoverrides(unpacker)
    database.record_unpacked([package.database_entry() for package in packages])
    paths = all_paths(packages)
    database.activate_file_triggers(paths)
    _forget_font_cache(paths)

    prepare_configuration(packages)
    _settle_folder_times(packages, plan.epoch)
    configure_all(runner, report, len(packages))
    report("finish", 0, 1)
    normalise.normalise_system(plan.epoch)
    correct_owners(unpacker)
    cure_bytecode(_bytecode_folders(paths), plan, runner)


def _settle_folder_times(packages: Sequence[Package], epoch: int) -> None:
    """Give every folder that something came into the epoch, before caches note their times."""
    times = (epoch * 10**9, epoch * 10**9)
    for folder in sorted({os.path.dirname(path) for path in all_paths(packages)} | set(_folders(packages))):
        os.utime(folder, ns=times)


def _folders(packages: Sequence[Package]) -> list[str]:
    return [path for package in packages if package.unpacked for path in package.unpacked.made]


def _forget_font_cache(paths: Sequence[str]) -> None:
    """A folder with new fonts but the same clamped time would look unchanged to a cache of the layer below."""
    if os.path.isdir(_FONT_CACHE) and any(path.startswith(f"{_FONTS}/") for path in paths):
        for name in os.listdir(_FONT_CACHE):
            path = os.path.join(_FONT_CACHE, name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)


def _bytecode_folders(paths: Sequence[str]) -> list[str]:
    folders = {f"{os.path.dirname(path)}/__pycache__" for path in paths if path.endswith(".py")}
    return sorted(folder for folder in folders if os.path.isdir(folder))
