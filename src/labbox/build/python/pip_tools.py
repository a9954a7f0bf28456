"""The last pip for a Python, from the index, ready to be run by that Python in a workshop.

For Python 2.7 also the last setuptools and wheel: its builds find them in the environment, as PEP 517 came later.
"""

import os
import re
import zipfile

from labbox.build.workshop import INPUT, Bench
from labbox.lock.lab import LockedInterpreter
from labbox.packages.python.package_index import PackageIndex

_TOOLS = f"{INPUT}/tools"
_DRIVER_FILE = "run_pip.py"
# Some names of temporary folders end up in what is built: here they are numbers.
_DRIVER = f"""\
import itertools, runpy, sys, tempfile
tempfile._name_sequence = ("%05d" % number for number in itertools.count())
sys.path[0] = "{_TOOLS}"
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
_SETTINGS = (
    "PIP_DISABLE_PIP_VERSION_CHECK=1",
    "PIP_NO_INPUT=1",
    "PIP_NO_CACHE_DIR=1",
    "PIP_NO_COLOR=1",
    "PIP_PROGRESS_BAR=off",
    "PIP_CONFIG_FILE=/dev/null",
)


def lay_pip(bench: Bench, interpreter: LockedInterpreter, index: PackageIndex) -> None:
    """Put pip, as it suits the Python, on a bench."""
    wanted = ("pip", "setuptools", "wheel") if is_legacy(interpreter) else ("pip",)
    for project in wanted:
        file = index.newest_pure_wheel(project, interpreter.version)
        with zipfile.ZipFile(index.fetch(file.url, file.sha256, "wheels")) as archive:
            archive.extractall(f"{bench.input}/tools")  # zipfile keeps names below the folder
    with open(f"{bench.input}/{_DRIVER_FILE}", "w", encoding="ascii") as driver:
        driver.write(_DRIVER)
    make_readable(bench.input)


def pip_command(interpreter: LockedInterpreter, *arguments: str) -> list[str]:
    """The command that runs the pip of a bench inside."""
    return [interpreter.path, f"{INPUT}/{_DRIVER_FILE}", *arguments]


def pip_environment(interpreter: LockedInterpreter, index: PackageIndex) -> list[str]:
    """The environment of pip inside: no settings but these, the user's indexes, times and hashes that never differ."""
    main, *more = index.indexes
    environment = [*_SETTINGS, f"PIP_INDEX_URL={main}", "SOURCE_DATE_EPOCH=315532800", "PYTHONHASHSEED=0"]
    if more:
        environment.append(f"PIP_EXTRA_INDEX_URL={' '.join(more)}")
    if is_legacy(interpreter):
        environment.append(f"PYTHONPATH={_TOOLS}")
    return environment


def is_legacy(interpreter: LockedInterpreter) -> bool:
    """True for a Python that uv does not serve."""
    major, minor = (int(part) for part in interpreter.language.split("."))
    return (major, minor) < (3, 8)


def make_readable(folder: str) -> None:
    """Let the container's user read what lies in a folder, whatever the umask says."""
    for parent, _, names in os.walk(folder):
        os.chmod(parent, 0o755)
        for name in names:
            os.chmod(os.path.join(parent, name), 0o644)


def explain_failure(output: str) -> str | None:
    """What to do about a build that failed for want of something in the system; None when that is not clear."""
    if _NO_COMPILER.search(output):
        return "add a compiler and Python's headers: labbox add --system build-essential python3-dev"
    if re.search(r"No module named '?distutils", output):
        return "add Python's build modules: labbox add --system python3-distutils"
    return None


_COMPILERS = r"[\w./-]*(?:gcc|g\+\+|cc|c\+\+|clang)"
_NO_COMPILER = re.compile(
    rf"No such file or directory: '{_COMPILERS}'|'?{_COMPILERS}'? failed: No such file|unable to execute '{_COMPILERS}'"
    rf"|linker `{_COMPILERS}` not found|Unknown compiler\(s\)|No CMAKE_CX*_COMPILER could be found"
    r"|Python\.h: No such file or directory"
)
