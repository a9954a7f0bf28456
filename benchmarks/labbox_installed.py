"""labbox as `pip install` puts it on a machine: a virtual environment, a copy of the package, compiled bytecode.

A checkout whose bytecode may not be written would be compiled anew by every command, which no user sees.
"""

import os
import shutil
import sys
import tomllib
import venv

from benchmarks.programs import ROOT, Engine, call, clean_environment

_SCRIPT = """#!{python}
import sys
from labbox.cli.main import run
if __name__ == "__main__":
    sys.exit(run())
"""


def install_labbox(folder: str) -> str:
    """Install the package of this checkout into a new virtual environment; returns the path of the command."""
    venv.create(folder, with_pip=False, symlinks=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = os.path.join(folder, "lib", version, "site-packages")
    source = os.path.join(ROOT, "src", "labbox")
    shutil.copytree(source, os.path.join(packages, "labbox"), ignore=shutil.ignore_patterns("__pycache__"))
    python = python_of(folder)
    call([python, "-m", "compileall", "-q", packages], environment=clean_environment())
    command = os.path.join(folder, "bin", "labbox")
    with open(command, "w", encoding="utf-8") as file:
        file.write(_SCRIPT.format(python=python))
    os.chmod(command, 0o755)
    return command


def install_dependencies(folder: str) -> None:
    """Install what labbox depends on into that environment, from the package index, where it is not there yet.

    The engine needs none of it; `up` and its like do.
    """
    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        wanted = tomllib.load(file)["project"]["dependencies"]
    call(
        [sys.executable, "-m", "pip", "--python", python_of(folder), "install", "--quiet", "--compile", *wanted],
        environment=clean_environment(),
    )


def python_of(folder: str) -> str:
    """The interpreter of a virtual environment."""
    return os.path.join(folder, "bin", "python")


def labbox_at(command: str, home: str) -> Engine:
    """An installed labbox with everything it keeps in one folder; LABBOX_MODE and mirrors are the caller's."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("LABBOX_")}
    return Engine(name="labbox", command=(command,), environment={**clean_environment(), **kept, "LABBOX_HOME": home})
