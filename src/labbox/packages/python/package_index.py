"""A package index as seen from here: projects' files, the newest wheel for a Python, files kept by their sha256."""

import hashlib
import http.client
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import urlsplit
from urllib.request import url2pathname

from labbox.errors import DownloadError, ResolutionError
from labbox.files import make_private_folder
from labbox.packages.patience import Patience
from labbox.packages.python.index_files import IndexFile, choose_indexes, list_files
from labbox.packages.transport import Transport, find_logins

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageIndex:
    """Indexes (the main one first), the connections to them, and the cache."""

    indexes: tuple[str, ...]
    cache_dir: str
    transport: Transport
    patience: Patience

    def files(self, project: str) -> list[IndexFile]:
        """The files of a project by its normalised name; none when no index knows it."""
        return list_files(self.indexes, project, self.transport, self.patience)

    def newest_pure_wheel(self, project: str, python_version: str) -> IndexFile:
        """The newest wheel of a project that runs on every machine with this Python; ResolutionError for none."""
        from packaging.specifiers import SpecifierSet  # noqa: PLC0415  (not needed to fetch)
        from packaging.utils import parse_wheel_filename  # noqa: PLC0415

        def suits(file: IndexFile) -> bool:
            pure = file.name.endswith("-none-any.whl") and f"py{python_version[0]}" in file.name.split("-")[-3]
            return (
                pure and bool(file.sha256) and not file.yanked
                and SpecifierSet(file.requires_python).contains(python_version)
                and not parse_wheel_filename(file.name)[1].is_prerelease
            )  # fmt: skip

        candidates = [file for file in self.files(project) if suits(file)]
        if not candidates:
            raise ResolutionError(f"no version of `{project}` for Python {python_version} on {', '.join(self.indexes)}")
        return max(candidates, key=lambda file: parse_wheel_filename(file.name)[1])

    def fetch(self, url: str, sha256: str, kind: str) -> str:
        """The path of a file in the cache (`kind`: wheels or sources), fetched when it is not there."""
        folder = os.path.join(self.cache_dir, kind, "sha256")
        path = os.path.join(folder, sha256)
        if not os.path.exists(path):
            make_private_folder(folder)
            self.patience.first_success(
                [url], lambda url: self._download(url, sha256, path), label=urlsplit(url).path.rpartition("/")[2]
            )
        return path

    def _download(self, url: str, sha256: str, path: str) -> None:
        with _opened(self.transport, url) as source, kept_when_whole(path) as (file, digest):
            while chunk := source.read(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
            if digest.hexdigest() != sha256:
                raise DownloadError(f"`{url}` is not the wanted file: sha256 is {digest.hexdigest()}, not {sha256}")


@contextmanager
def open_package_index(
    cache_dir: str, environment: Mapping[str, str], indexes: Sequence[str] = ()
) -> Iterator[PackageIndex]:
    """The index by the user's environment and the lab's own `indexes`, until its connections are closed."""
    chosen = choose_indexes(environment, indexes)
    with Transport(logins=find_logins(chosen)) as transport:
        yield PackageIndex(
            indexes=chosen,
            cache_dir=cache_dir,
            transport=transport,
            patience=Patience(),
        )


@contextmanager
def kept_when_whole(path: str) -> Iterator[tuple[BinaryIO, "hashlib._Hash"]]:
    """A file and a hash to write to; it gets its name at the end, and is removed when the body fails."""
    descriptor, unfinished = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".unfinished-")
    try:
        with open(descriptor, "wb") as file:
            yield file, hashlib.sha256()
        os.rename(unfinished, path)
    except BaseException:
        os.unlink(unfinished)
        raise


@contextmanager
def _opened(transport: Transport, url: str) -> Iterator[BinaryIO | http.client.HTTPResponse]:
    if urlsplit(url).scheme == "file":
        with open(url2pathname(urlsplit(url).path), "rb") as file:
            yield file
        return
    with transport.get(url) as response:
        yield response
