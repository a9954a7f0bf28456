"""Wheels and source archives made on the fly."""

import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class MadeFile(NamedTuple):
    """A file for an index."""

    name: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def make_wheel(
    project: str,
    version: str = "1.0",
    *,
    requires: Sequence[str] = (),
    tag: str = "py3-none-any",
    files: Mapping[str, bytes] | None = None,
) -> MadeFile:
    """A wheel of one module, with the metadata that a resolver reads."""
    stem = f"{project.replace('-', '_')}-{version}"
    content = {
        f"{project.replace('-', '_')}.py": b"VERSION = 1\n",
        **(files or {}),
        f"{stem}.dist-info/METADATA": _metadata(project, version, requires).encode(),
        f"{stem}.dist-info/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    record = "".join(f"{name},,\n" for name in [*content, f"{stem}.dist-info/RECORD"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**content, f"{stem}.dist-info/RECORD": record.encode()}.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return MadeFile(f"{stem}-{tag}.whl", buffer.getvalue())


def make_source(project: str, version: str = "1.0", *, requires: Sequence[str] = ()) -> MadeFile:
    """A source archive whose metadata is static (PEP 643), so that nothing has to be built to read it."""
    stem = f"{project.replace('-', '_')}-{version}"
    pyproject = f'[build-system]\nrequires = []\nbuild-backend = "none"\n[project]\nname = "{project}"\n'
    pyproject += f'version = "{version}"\ndependencies = {list(requires)!r}\n'
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in (("PKG-INFO", _metadata(project, version, requires)), ("pyproject.toml", pyproject)):
            member = tarfile.TarInfo(f"{stem}/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return MadeFile(f"{stem}.tar.gz", gzip.compress(buffer.getvalue(), mtime=0))


def _metadata(project: str, version: str, requires: Sequence[str]) -> str:
    lines = ["Metadata-Version: 2.2", f"Name: {project}", f"Version: {version}"]
    return "\n".join([*lines, *(f"Requires-Dist: {requirement}" for requirement in requires)]) + "\n"
