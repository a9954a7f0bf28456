"""The wheels of a lock, brought into the cache from wherever they still are."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import unquote, urlsplit

from labbox.errors import DownloadError
from labbox.files import make_private_folder
from labbox.lock.lab import LockedWheel
from labbox.packages.fetch import Fetcher, ReportProgress, WantedFile, report_nothing
from labbox.packages.python.package_index import PackageIndex


def wheels_folder(cache_dir: str) -> str:
    """Where wheels are kept, each named by its sha256."""
    return os.path.join(cache_dir, "wheels", "sha256")


def fetch_wheels(
    wheels: Sequence[LockedWheel], index: PackageIndex, *, progress: ReportProgress = report_nothing
) -> dict[str, str]:
    """Every wheel in the cache: sha256 → path.

    From the cache, the address in the lock, and the indexes, which may have moved the file. Raises DownloadError for
    the first wheel that nobody has, with every address that was tried.
    """
    folder = wheels_folder(index.cache_dir)
    make_private_folder(folder)
    for wheel in wheels:
        _adopt_local(wheel, folder)
    wanted = [
        WantedFile(
            label=f"{wheel.name} {wheel.version}",
            sha256=wheel.sha256,
            size=wheel.size,
            addresses=_address_source(wheel, index),
        )
        for wheel in dict.fromkeys(wheels)
    ]
    fetcher = Fetcher(folder, index.transport, index.patience)
    try:
        return {sha256: file.path for sha256, file in fetcher.fetch_all(wanted, progress=progress).items()}
    except DownloadError as error:
        raise DownloadError(error.message, hint=_hint(error)) from error


def missing_built_wheels(wheels: Sequence[LockedWheel], *, cache_dir: str) -> tuple[LockedWheel, ...]:
    """The wheels that labbox built from source and that this machine does not have: no server has them either."""
    folder = wheels_folder(cache_dir)
    built = [wheel for wheel in wheels if wheel.source is not None and not wheel.url.startswith("http")]
    return tuple(wheel for wheel in built if not os.path.exists(os.path.join(folder, wheel.sha256)))


def _address_source(wheel: LockedWheel, index: PackageIndex) -> Callable[[], Iterator[str]]:
    """Addresses made one by one: the index is asked only when the address in the lock has failed."""

    def addresses() -> Iterator[str]:
        if wheel.url.startswith(("http://", "https://")):
            yield wheel.url
        if wheel.source is not None:
            return
        try:
            files = index.files(wheel.name)
        except DownloadError:  # the message is about the file; that the index is silent too would hide it
            return
        for file in files:
            if file.name == wheel.file_name and file.sha256 in (wheel.sha256, "") and file.url != wheel.url:
                yield file.url

    return addresses


def _adopt_local(wheel: LockedWheel, folder: str) -> None:
    """Copy a wheel of a local folder (`file://`) into the cache; a file that is gone or another is left to others."""
    path = os.path.join(folder, wheel.sha256)
    parts = urlsplit(wheel.url)
    if parts.scheme != "file" or os.path.exists(path):
        return
    partial = f"{path}.{os.getpid()}.tmp"
    try:
        with open(unquote(parts.path), "rb") as source, open(partial, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        with open(partial, "rb") as copied:
            digest = hashlib.file_digest(copied, "sha256").hexdigest()
        if digest != wheel.sha256:
            raise DownloadError(
                f"`{wheel.url}` is not the wheel of the lock: its sha256 is {digest}",
                hint=f"Put the right file there, or take the new one with `labbox lock --upgrade {wheel.name}`.",
            )
        os.rename(partial, path)
    except FileNotFoundError:
        return
    finally:
        if os.path.exists(partial):
            os.unlink(partial)


def _hint(error: DownloadError) -> str:
    if "size or sha256 differs" in error.message:
        return (
            "The file was changed after it was locked. If that is well, take the new one with `labbox lock --upgrade`."
        )
    return "Check the network; UV_DEFAULT_INDEX names another index. What was fetched is kept: the next try goes on."
