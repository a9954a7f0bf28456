"""From a system's lock to an image: the package files assembled in a chamber, the tree made a layer of the store."""

import os
import resource
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

from labbox.build.children import Report
from labbox.build.debian.assemble import assemble_system
from labbox.build.debian.chamber import call_as_system_root, call_in_chamber
from labbox.build.debian.normalise import ASSEMBLER_VERSION
from labbox.build.debian.plan import AssemblyPlan, PackageFile, script_environment
from labbox.build.debian.programs import make_runner
from labbox.errors import UnsupportedError, UsageError
from labbox.linux.idmap import Identity, single_identity
from labbox.lock.system import LockedDeb, SystemLock
from labbox.oci.config import History, ImageConfig
from labbox.oci.platform import parse_platform
from labbox.packages.debian.deb_file import open_deb
from labbox.packages.debian.releases import host_architecture
from labbox.store.layers import LayerStore
from labbox.store.ownership import Ownership, ownership_of
from labbox.store.pack import pack_tree
from labbox.store.tar_writer import PackedTree

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PLATFORMS = {"armhf": "linux/arm/v7", "i386": "linux/386", "ppc64el": "linux/ppc64le"}
_MOUNT_POINTS = ("dev", "proc")


def assemble_layer(
    lock: SystemLock, files: Mapping[str, str], layers: LayerStore, identity: Identity, report: Report
) -> PackedTree:
    """Assemble the locked system from its package files (sha256 → path) into a layer of the store.

    The layer's digest depends on the lock alone. Hold `layers.creating()` until an image names the layer.
    """
    check_lock(lock)
    with layers.staging() as tree, ExitStack() as opened:
        plan = make_plan(lock, files, ownership_of(identity.mode), opened)
        packed = call_as_system_root(
            single_identity() if identity.mode == "single" else identity,
            lambda report: _assemble_tree(tree, plan, report),
            report,
        )
        layers.adopt(tree, packed)
        return packed


def check_lock(lock: SystemLock) -> None:
    """Refuse a lock for another machine, or whose rules of assembly are not the ones of this labbox."""
    if lock.architecture != host_architecture():
        raise UnsupportedError(f"the lock is for `{lock.architecture}`, this machine is `{host_architecture()}`")
    if lock.assembler != ASSEMBLER_VERSION:
        raise UsageError(
            f"the lock was made for assembler {lock.assembler}; this labbox has assembler {ASSEMBLER_VERSION}",
            hint="Use the version of labbox that wrote the lock, or lock again.",
        )


def make_plan(lock: SystemLock, files: Mapping[str, str], ownership: Ownership, opened: ExitStack) -> AssemblyPlan:
    """The plan of a lock with every package file open until `opened` is closed."""
    return AssemblyPlan(
        packages=open_packages(lock.debs, files, opened),
        architecture=lock.architecture,
        epoch=lock.epoch,
        ownership=ownership,
        sources=apt_sources(lock),
    )


def open_packages(debs: Sequence[LockedDeb], files: Mapping[str, str], opened: ExitStack) -> list[PackageFile]:
    """The package files, open until `opened` is closed: in the chamber their paths mean nothing."""
    _allow_descriptors(len(debs))
    return [_open_package(deb, files[deb.sha256], opened) for deb in debs]


def apt_sources(lock: SystemLock) -> str:
    """The text of /etc/apt/sources.list.d/debian.sources: the release's suites on the public mirrors.

    By http, since a small system has no certificates; apt checks the archive's signature (sources.list(5)).
    """
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    paragraphs = []
    for archive in dict.fromkeys(suite.archive for suite in lock.suites):
        suites = " ".join(suite.suite for suite in lock.suites if suite.archive == archive)
        paragraphs.append(
            f"Types: deb\nURIs: http://deb.debian.org/{archive}\nSuites: {suites}\n"
            f"Components: main\nSigned-By: {keyring}\n"
        )
    return "\n".join(paragraphs)


def system_config(lock: SystemLock, packed: PackedTree) -> ImageConfig:
    """The image configuration of an assembled system; nothing in it depends on when or where it is made."""
    created = datetime.fromtimestamp(lock.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    platform = parse_platform(_PLATFORMS.get(lock.architecture, f"linux/{lock.architecture}"))
    config = ImageConfig(platform=platform, created=created, cmd=("bash",), environment=(f"PATH={_PATH}",))
    step = History(created=created, created_by=f"labbox bootstrap {lock.release}", comment=f"system lock {lock.key()}")
    return config.with_layer(packed.diff_id, step)


def _assemble_tree(tree: str, plan: AssemblyPlan, report: Report) -> PackedTree:
    """As the system's root, outside of the chamber: assemble in a chamber, then pack what it left."""
    runner = make_runner(script_environment(plan.epoch), records_owners=plan.ownership == "recorded")
    call_in_chamber(lambda: tree, lambda report: assemble_system(plan, runner, report), report)
    for name in ("", *_MOUNT_POINTS):  # while the chamber stood, its mounts hid the folders below
        os.utime(f"{tree}/{name}", ns=(plan.epoch * 10**9, plan.epoch * 10**9))
    packed = pack_tree(tree, mode=plan.ownership, newest=plan.epoch)
    report("finish", 1, 1)
    return packed


def _open_package(deb: LockedDeb, path: str, opened: ExitStack) -> PackageFile:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    opened.callback(os.close, descriptor)
    return PackageFile(
        name=deb.name,
        deb=open_deb(descriptor, deb.file_name),
        size=deb.size,
        essential=deb.essential,
        manual=deb.manual,
    )


def _allow_descriptors(count: int) -> None:
    """Lift the soft limit of open files: every package file stays open while the chamber has another root."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = count + 256
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(needed, soft), hard), hard))
