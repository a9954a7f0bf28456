"""The suites of a release as they stand in the archive now: fetched, verified, indexed."""

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from labbox.errors import DownloadError, SignatureError
from labbox.files import locked, make_private_folder, write_atomic
from labbox.packages.debian.index import IndexCache, PackageIndex
from labbox.packages.debian.mirrors import SECURITY, Mirrors
from labbox.packages.debian.openpgp import verify_cleartext
from labbox.packages.debian.release import IndexFile, Release, check_release, parse_release
from labbox.packages.debian.releases import DebianRelease
from labbox.packages.debian.trusted_keys import PublicKey, load_archive_keys
from labbox.packages.patience import Patience
from labbox.packages.transport import Transport

_INRELEASE_LIMIT = 8 << 20
_PACKAGES_LIMIT = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One verified suite and its index of packages."""

    archive: str
    name: str
    inrelease_sha256: str
    packages_sha256: str
    date: datetime
    index: PackageIndex


class SuiteReader:
    """Reads suites from mirrors, refusing what no trusted key signed and what is older than what was seen before."""

    def __init__(
        self,
        *,
        cache_dir: str,
        mirrors: Mirrors,
        transport: Transport,
        patience: Patience,
        keys: Sequence[PublicKey] | None = None,
        now: datetime | None = None,
    ) -> None:
        self._indexes = IndexCache(cache_dir)
        self._seen = _SeenDates(os.path.join(cache_dir, "debian"))
        self._mirrors = mirrors
        self._transport = transport
        self._patience = patience
        self._keys = load_archive_keys() if keys is None else keys
        self._now = now or datetime.now(UTC)

    def read_release(self, release: DebianRelease, architecture: str) -> list[Suite]:
        """Every suite of a release, read in parallel."""
        suites = release.suites()
        with ThreadPoolExecutor(len(suites), thread_name_prefix="suite") as pool:
            futures = [pool.submit(self.read_suite, archive, suite, architecture) for archive, suite in suites]
            return [future.result() for future in futures]

    def read_suite(self, archive: str, suite: str, architecture: str) -> Suite:
        """One suite: its index is what a trusted key signed, and is not older than any seen before."""
        document, release = self._read_release_file(archive, suite)
        self._seen.record(archive, suite, release.date)
        listed = release.packages_file(_component(archive, release), architecture)
        index = self._indexes.load(listed.sha256, archive, lambda: self._fetch_index(archive, suite, release, listed))
        return Suite(
            archive=archive,
            name=suite,
            inrelease_sha256=hashlib.sha256(document).hexdigest(),
            packages_sha256=listed.sha256,
            date=release.date,
            index=index,
        )

    def _read_release_file(self, archive: str, suite: str) -> tuple[bytes, Release]:
        """The signed index of a suite from the first mirror whose one can be trusted; else its fault is raised."""
        last_seen = self._seen.date_of(archive, suite)
        faults: list[SignatureError] = []

        def read(url: str) -> tuple[bytes, Release]:
            document = self._transport.read(url, limit=_INRELEASE_LIMIT)
            try:
                release = parse_release(verify_cleartext(document, self._keys, now=self._now, where=url).text)
                check_release(release, requested=suite, now=self._now, last_seen=last_seen, where=url)
            except SignatureError as error:
                faults.append(error)
                raise DownloadError(error.message) from error
            return document, release

        addresses = self._mirrors.addresses(archive, f"dists/{suite}/InRelease")
        try:
            return self._patience.first_success(addresses, read, label=f"{archive} {suite}")
        except DownloadError:
            if faults:
                raise faults[0] from None
            raise

    def read_index(
        self, archive: str, suite: str, architecture: str, sha256: str, fetched_at: datetime
    ) -> PackageIndex:
        """An index as it was when something was locked: from the cache, a mirror that has it still, or a snapshot."""
        folder = f"dists/{suite}/main/binary-{architecture}"
        addresses = [
            *self._mirrors.addresses(archive, f"{folder}/by-hash/SHA256/{sha256}"),
            self._mirrors.snapshot_address(archive, fetched_at, f"{folder}/Packages.xz"),
        ]
        return self._indexes.load(sha256, archive, lambda: self._read_verified(addresses, sha256, f"{archive} {suite}"))

    def _fetch_index(self, archive: str, suite: str, release: Release, listed: IndexFile) -> bytes:
        """The bytes of a listed index; by-hash names stay valid while the mirror is being updated."""
        paths = [listed.by_hash_path, listed.path] if release.has_by_hash else [listed.path]
        addresses = [url for path in paths for url in self._mirrors.addresses(archive, f"dists/{suite}/{path}")]
        return self._read_verified(addresses, listed.sha256, f"{archive} {suite} {listed.path}")

    def _read_verified(self, addresses: list[str], sha256: str, label: str) -> bytes:
        def read(url: str) -> bytes:
            data = self._transport.read(url, limit=_PACKAGES_LIMIT)
            if hashlib.sha256(data).hexdigest() != sha256:
                raise DownloadError(f"`{url}` is not the wanted index: its sha256 differs")
            return data

        return self._patience.first_success(addresses, read, label=label)


class _SeenDates:
    """The newest date seen of each suite, so that a mirror cannot lead back to an index with known holes."""

    def __init__(self, folder: str) -> None:
        make_private_folder(folder)
        self._path = os.path.join(folder, "seen.json")

    def date_of(self, archive: str, suite: str) -> datetime | None:
        text = self._read().get(f"{archive}/{suite}")
        return datetime.fromisoformat(text) if text else None

    def record(self, archive: str, suite: str, date: datetime) -> None:
        with locked(f"{self._path}.lock"):
            dates = self._read()
            if dates.get(f"{archive}/{suite}", "") < date.isoformat():
                dates[f"{archive}/{suite}"] = date.isoformat()
                write_atomic(self._path, json.dumps(dates, indent=1).encode(), durable=False)

    def _read(self) -> dict[str, str]:
        try:
            with open(self._path, "rb") as file:
                document = json.loads(file.read())
        except (FileNotFoundError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}


def _component(archive: str, release: Release) -> str:
    """`main` as the index's paths spell it; the security archive lists `updates/main` as component but not as path."""
    if archive == SECURITY and any(path.startswith("updates/main/") for path in release.files):
        return "updates/main"
    return "main"
