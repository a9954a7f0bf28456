"""The program `uv` (https://docs.astral.sh/uv/), which resolves Python packages: found and started."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labbox.certificates import host_ca_bundle
from labbox.errors import UnsupportedError
from labbox.packages.python.uv_faults import explain

# Of the shell that labbox is started from, not of the lab.
_FOREIGN = ("VIRTUAL_ENV", "CONDA_PREFIX", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT", "UV_OUTPUT_FORMAT", "UV_PROJECT")


@dataclass(frozen=True, slots=True, kw_only=True)
class UvOutput:
    """What a successful call printed, and the warnings among it, one sentence each."""

    text: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Uv:
    """uv as this user has it: `UV_*` variables and settings files (indexes, credentials, offline) are honoured."""

    program: str
    environment: Mapping[str, str]

    def run(self, arguments: Sequence[str], *, folder: str, text: str = "", own_python: bool = True) -> UvOutput:
        """Run `uv ARGUMENTS` in a folder with `text` on its standard input.

        Raises ResolutionError or DownloadError with uv's reason, shortened.

        With `own_python` uv takes the interpreter that runs labbox, looks for no other and downloads none.
        """
        options = ["--python", sys.executable, "--no-python-downloads"] if own_python else []
        done = subprocess.run(
            [self.program, *arguments, "--no-progress", "--color", "never", *options],
            cwd=folder,
            env=_environment(self.environment),
            input=text.encode(),
            capture_output=True,
            check=False,
        )
        errors = done.stderr.decode("utf-8", "replace")
        if done.returncode:
            raise explain(errors, returncode=done.returncode)
        return UvOutput(text=done.stdout.decode(), warnings=_warnings(errors))


def find_uv(environment: Mapping[str, str]) -> Uv:
    """The uv of the package that labbox depends on, else the one on PATH; UnsupportedError when there is none."""
    return Uv(program=_packaged() or _on_path(environment), environment=environment)


def _packaged() -> str | None:
    try:
        from uv import find_uv_bin  # noqa: PLC0415  (may be missing: a distribution's labbox uses the one on PATH)
    except ImportError:
        return None
    try:
        return find_uv_bin()
    except FileNotFoundError:
        return None


def _on_path(environment: Mapping[str, str]) -> str:
    program = shutil.which("uv", path=environment.get("PATH", os.defpath))
    if program is None:
        raise UnsupportedError(
            "the program `uv`, which resolves Python packages, is not installed", hint="Run `pip install uv`."
        )
    return program


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    own = {name: value for name, value in environment.items() if name not in _FOREIGN}
    bundle = host_ca_bundle(environment)
    if bundle is not None:  # uv's own list of authorities does not know that of a TLS-inspecting proxy
        own.setdefault("SSL_CERT_FILE", bundle)
    return own


def _warnings(errors: str) -> tuple[str, ...]:
    lines = [line.removeprefix("warning: ") for line in errors.splitlines() if line.startswith("warning: ")]
    return tuple(line for line in lines if not line.startswith("The requested Python version"))
