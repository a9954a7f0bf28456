"""The scripts of packages, run in the chamber: preinst by us, the rest by the new system's own dpkg."""

import os
import shutil
from collections.abc import Sequence

from labbox.build.children import Report
from labbox.build.debian.database import ADMIN_DIR
from labbox.build.debian.plan import Package
from labbox.build.debian.programs import ProgramRunner

_DPKG = "/usr/bin/dpkg"
_OPTIONS = ("--force-unsafe-io", "--force-confnew")
_CONTROL_DIR = f"{ADMIN_DIR}/tmp.ci"
_STATUS_DESCRIPTOR = "3"


def run_preinsts(packages: Sequence[Package], runner: ProgramRunner) -> None:
    """Run what packages want done before their files come; base-passwd first, which makes the users."""
    versions = {package.name: package.control.fields["Version"] for package in packages}
    dpkg_version = versions.get("dpkg", "1.20.0").rpartition(":")[2]
    ranked = sorted(
        packages, key=lambda package: (package.name != "base-passwd", not package.file.essential, package.name)
    )
    for package in ranked:
        if "preinst" not in package.control.files:
            continue
        _lay_control_files(package)
        runner.run(
            [f"{_CONTROL_DIR}/preinst", "install"],
            extra={
                "DPKG_MAINTSCRIPT_PACKAGE": package.name,
                "DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT": "1",
                "DPKG_MAINTSCRIPT_ARCH": package.control.fields["Architecture"],
                "DPKG_MAINTSCRIPT_NAME": "preinst",
                "DPKG_RUNNING_VERSION": dpkg_version,
                "DPKG_ADMINDIR": ADMIN_DIR,
                "DPKG_ROOT": "",
            },
            what=f"preinst of package {package.name}",
        )
    shutil.rmtree(_CONTROL_DIR, ignore_errors=True)


def configure_all(runner: ProgramRunner, report: Report, total: int) -> None:
    """Let dpkg configure every unpacked package and process the triggers."""
    if not os.path.exists("/etc/passwd"):  # Debian 11: base-passwd makes the users in its postinst, others need them
        runner.run([_DPKG, *_OPTIONS, "--force-depends", "--configure", "base-passwd"])
    done = 0

    def follow(line: str) -> None:
        nonlocal done
        if line.startswith("status: ") and line.endswith(": installed"):
            done = min(done + 1, total)
            report("configure", done, total)

    runner.run([_DPKG, *_OPTIONS, "--status-fd", _STATUS_DESCRIPTOR, "--configure", "-a"], on_status=follow)


def _lay_control_files(package: Package) -> None:
    """The control part where dpkg has it while a preinst runs; debconf looks there for templates and the owner."""
    shutil.rmtree(_CONTROL_DIR, ignore_errors=True)
    os.makedirs(_CONTROL_DIR, 0o755)
    files = {**package.control.files, "control": package.control.text.encode()}
    for name, content in files.items():
        with open(f"{_CONTROL_DIR}/{name}", "wb") as file:
            file.write(content)
        os.chmod(f"{_CONTROL_DIR}/{name}", 0o755 if name in ("preinst", "config") else 0o644)
