"""A whole system from its package files: unpack, register with dpkg, configure, make it the same every time.

Runs as process 1 of a chamber whose root is the new system. In two phases: first the packages that every system has,
then, once the scripts that run before a package's files come (preinst) have run with their help, all others. So
diversions are known before the files come, and every file is there before the first package is configured. dpkg
itself only configures.
"""

import os
from collections.abc import Iterable, Sequence

from labbox.build.children import Report
from labbox.build.debian import database, normalise
from labbox.build.debian.configuring import configure_all, run_preinsts
from labbox.build.debian.laying import (
    apply_statoverrides,
    lay_rest,
    read_and_lay,
    set_named_owner,
    settle_folders,
    settle_overlaps,
)
from labbox.build.debian.plan import AssemblyPlan, Package
from labbox.build.debian.programs import ProgramRunner
from labbox.build.debian.unpack import Unpacker

POLICY = "/usr/sbin/policy-rc.d"
_HOST_KEYS = [
    f"/etc/ssh/ssh_host_{kind}_key{suffix}" for kind in ("rsa", "ecdsa", "ed25519") for suffix in ("", ".pub")
]
# What scripts get wrong where there is one id: useradd copies the group that it sees of the old file, and
# postgresql-common asks as the user `postgres`, who is root then, whether the folder is his.
_OWNERS = (
    ("/etc/shadow", "root", "shadow"),
    ("/etc/gshadow", "root", "shadow"),
    ("/var/lib/postgresql", "postgres", "postgres"),
)
_PARTIAL_FOLDERS = ("/var/lib/apt/lists/partial", "/var/cache/apt/archives/partial")
_COMPILE_LIST = "/tmp/labbox-compile-again"
_SOURCES = "/etc/apt/sources.list.d/debian.sources"
_APT_SETTINGS = "/etc/apt/apt.conf.d/00labbox"
# An image made of a container holds no package files and no caches that apt makes again (apt.conf(5)).
_APT_KEEPS_NOTHING = """\
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
"""


def assemble_system(plan: AssemblyPlan, runner: ProgramRunner, report: Report) -> None:
    """Make the empty root around this process the system of the plan."""
    unpacker = Unpacker(ownership=plan.ownership, newest=plan.epoch)
    _merge_usr(plan.architecture)
    database.create_database(plan.architecture)
    packages = read_and_lay(plan.packages, unpacker, lays=lambda file: file.essential, report=report)
    base = [package for package in packages if package.unpacked is not None]
    settle_folders(base, unpacker, is_new=_is_new)
    database.record_unpacked([package.database_entry() for package in base])
    run_preinsts(packages, runner)

    unpacker = Unpacker(ownership=plan.ownership, newest=plan.epoch, diversions=database.read_diversions())
    packages = lay_rest(packages, unpacker, report)
    settle_overlaps(packages, unpacker)
    settle_folders(packages, unpacker, is_new=_is_new)
    apply_statoverrides(unpacker)
    database.forget_packages()  # what a base package brought may belong to a later one by now
    database.record_unpacked([package.database_entry() for package in packages])

    prepare_configuration(packages)
    normalise.settle_folder_times("/", plan.epoch)
    configure_all(runner, report, len(packages))
    report("finish", 0, 1)
    _write_setting(_SOURCES, plan.sources)
    _write_setting(_APT_SETTINGS, _APT_KEEPS_NOTHING)
    clean_up(plan, runner, unpacker)


def prepare_configuration(packages: Sequence[Package]) -> None:
    """What makes configuring quiet: no services started, no keys and no database clusters made."""
    manual = frozenset(package.name for package in packages if package.file.manual)
    database.record_automatic([package.database_entry() for package in packages], manual)
    with open(POLICY, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\nexit 101\n")
    os.chmod(POLICY, 0o755)
    if any(package.name == "postgresql-common" for package in packages):
        os.makedirs(os.path.dirname(normalise.NO_CLUSTER), 0o755, exist_ok=True)
        with open(normalise.NO_CLUSTER, "w", encoding="utf-8") as file:
            file.write("create_main_cluster = false\n")
    if any(package.name == "openssh-server" for package in packages):
        for path in _HOST_KEYS:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def clean_up(plan: AssemblyPlan, runner: ProgramRunner, unpacker: Unpacker) -> None:
    """Take chance and clock out of the configured system."""
    normalise.normalise_system(plan.epoch)
    correct_owners(unpacker)
    for path in _PARTIAL_FOLDERS:
        if os.path.isdir(path):
            set_named_owner(path, "_apt", "root", unpacker)
            os.chmod(path, 0o700)
    cure_bytecode(normalise.find_bytecode_folders("/usr"), plan, runner)
    normalise.clamp_times("/", plan.epoch)


def correct_owners(unpacker: Unpacker) -> None:
    """Set the owners that scripts set otherwise where there is one id."""
    for path, user, group in _OWNERS:
        if unpacker.ownership == "recorded":
            set_named_owner(path, user, group, unpacker)


def cure_bytecode(folders: Iterable[str], plan: AssemblyPlan, runner: ProgramRunner) -> None:
    """Give files that Python compiled just now the same bytes as ever."""
    for interpreter, sources in sorted(normalise.rewrite_bytecode(folders, plan.epoch).items()):
        _compile_again(interpreter, sources, runner)


def _is_new(_path: str) -> bool:
    return True


def _merge_usr(architecture: str) -> None:
    """The folders of a merged /usr: links, as base-files and usrmerge leave them."""
    names = ["bin", "sbin", "lib"] + (["lib64"] if architecture in ("amd64", "ppc64el") else [])
    for name in names:
        os.makedirs(f"/usr/{name}", 0o755, exist_ok=True)
        os.symlink(f"usr/{name}", f"/{name}")


def _write_setting(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _compile_again(interpreter: str, sources: Sequence[str], runner: ProgramRunner) -> None:
    """Compile with a fixed hash seed what the package scripts compiled with a random one (`python -E` ignores ours)."""
    path = f"/usr/bin/{interpreter}"
    if not os.path.exists(path):
        return
    with open(_COMPILE_LIST, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.writelines(f"{source}\n" for source in sorted(sources))
    options = ["-S", "-m", "compileall", "-q", "-f", "--invalidation-mode", "timestamp", "-i", _COMPILE_LIST]
    runner.run([path, *options], extra={"PYTHONHASHSEED": "0"})
    os.unlink(_COMPILE_LIST)
