"""The package files of a lock, brought into the cache from wherever they still are."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from labbox.lock.system import LockedDeb, SystemLock
from labbox.packages.debian.archive import Archive
from labbox.packages.debian.mirrors import locate_by_hash
from labbox.packages.fetch import FetchedFile, ReportProgress, WantedFile, report_nothing

_ANSWER_LIMIT = 4 << 20


def fetch_system(
    lock: SystemLock, archive: Archive, *, progress: ReportProgress = report_nothing
) -> dict[str, FetchedFile]:
    """Every file of the lock, by sha256."""
    return fetch_debs(lock.debs, lock.fetched_at, archive, progress=progress)


def fetch_debs(
    debs: Sequence[LockedDeb], fetched_at: str, archive: Archive, *, progress: ReportProgress = report_nothing
) -> dict[str, FetchedFile]:
    """Package files by sha256: from the cache, the mirrors in order, then the snapshot archive as of `fetched_at`."""
    moment = datetime.fromisoformat(fetched_at)
    wanted = [
        WantedFile(
            label=f"{deb.name} {deb.version}",
            sha256=deb.sha256,
            size=deb.size,
            addresses=_address_source(deb, archive, moment),
        )
        for deb in debs
    ]
    return archive.fetcher().fetch_all(wanted, progress=progress)


def _address_source(deb: LockedDeb, archive: Archive, moment: datetime) -> Callable[[], Iterator[str]]:
    """Addresses made one by one: the snapshot archive is asked only when every mirror has failed."""
    mirrors = archive.mirrors

    def addresses() -> Iterator[str]:
        yield from mirrors.addresses(deb.archive, deb.path)
        yield mirrors.snapshot_address(deb.archive, moment, deb.path)
        yield from locate_by_hash(
            mirrors,
            lambda url: archive.transport.read(url, limit=_ANSWER_LIMIT),
            name=deb.name,
            version=deb.version,
            sha1=deb.sha1 or None,
            file_name=deb.file_name,
        )

    return addresses
