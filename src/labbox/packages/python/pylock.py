"""uv's answer, a `pylock.toml` (PEP 751): every package with the files it may be installed from."""

import posixpath
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class PylockFile:
    """A file of a package: `sha256` is empty, `size` and `uploaded` (seconds since 1970) are 0 when nobody says."""

    url: str
    sha256: str
    size: int = 0
    uploaded: int = 0

    @property
    def file_name(self) -> str:
        """The file's own name."""
        return posixpath.basename(unquote(urlsplit(self.url).path))


@dataclass(frozen=True, slots=True, kw_only=True)
class PylockPackage:
    """A package: its wheels, for whatever platform, its source archive; or the folder or repository it comes from."""

    name: str
    version: str
    wheels: tuple[PylockFile, ...] = ()
    source: PylockFile | None = None
    marker: str = ""
    folder: str = ""
    repository: str = ""


def parse_pylock(text: str, *, folder: str) -> list[PylockPackage]:
    """The packages of a pylock.toml that lies in `folder` (to which its paths are relative)."""
    document = tomllib.loads(text)
    return [_read_package(row, Path(folder)) for row in document.get("packages", [])]


def format_preferences(versions: Mapping[str, str]) -> str:
    """A pylock.toml that only names versions: as an output file that is already there it is what uv prefers."""
    rows = [f'\n[[packages]]\nname = "{name}"\nversion = "{version}"\n' for name, version in sorted(versions.items())]
    return 'lock-version = "1.0"\ncreated-by = "labbox"\n' + "".join(rows)


def _read_package(row: dict[str, Any], folder: Path) -> PylockPackage:
    wheels = [_read_file(each, folder) for each in row.get("wheels", [])]
    source = _read_file(row["sdist"], folder) if "sdist" in row else None
    if "archive" in row:  # the one file that the requirement itself names
        file = _read_file(row["archive"], folder)
        wheels, source = ([file], None) if file.file_name.endswith(".whl") else ([], file)
    return PylockPackage(
        name=row["name"],
        version=row.get("version", ""),
        wheels=tuple(wheels),
        source=source,
        marker=row.get("marker", ""),
        folder=str((folder / row["directory"]["path"]).resolve()) if "directory" in row else "",
        repository=row.get("vcs", {}).get("url", ""),
    )


def _read_file(values: dict[str, Any], folder: Path) -> PylockFile:
    uploaded = values.get("upload-time")
    return PylockFile(
        url=values.get("url") or (folder / values["path"]).resolve().as_uri(),
        sha256=values.get("hashes", {}).get("sha256", ""),
        size=values.get("size", 0),
        uploaded=int(uploaded.timestamp()) if isinstance(uploaded, datetime) else 0,
    )
