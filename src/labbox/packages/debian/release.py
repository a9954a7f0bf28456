"""A suite's Release file: which indexes it has, with their hashes, and how long it may be trusted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from labbox.errors import SignatureError, UnsupportedError
from labbox.packages.debian.control import parse_paragraph

# A clock that is a little wrong must not stop anyone; a day is what apt-get's users see as "not valid yet" at worst.
_CLOCK_TOLERANCE = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """A file listed in a Release file: its path below the suite, its size and its sha256."""

    path: str
    size: int
    sha256: str

    @property
    def by_hash_path(self) -> str:
        """Where the very bytes stay while the suite is updated (wiki.debian.org/DebianRepository/Format)."""
        folder = self.path.rpartition("/")[0]
        return f"{folder}/by-hash/SHA256/{self.sha256}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What the archive says of a suite; `date` is when it was made."""

    suite: str
    codename: str
    date: datetime
    valid_until: datetime | None
    architectures: frozenset[str]
    has_by_hash: bool
    files: Mapping[str, IndexFile]

    def packages_file(self, component: str, architecture: str) -> IndexFile:
        """The compressed package index of a component; raises UnsupportedError for an unknown architecture."""
        path = f"{component}/binary-{architecture}/Packages.xz"
        if path not in self.files:
            known = ", ".join(sorted(self.architectures - {"all", "source"}))
            raise UnsupportedError(f"Debian suite `{self.codename}` has no packages for `{architecture}`, only {known}")
        return self.files[path]


def parse_release(text: str) -> Release:
    """The Release in the (verified) text of an InRelease file."""
    fields = parse_paragraph(text)
    valid_until = fields.get("Valid-Until")
    return Release(
        suite=fields.get("Suite", ""),
        codename=fields.get("Codename", ""),
        date=_parse_date(fields.get("Date", "")),
        valid_until=_parse_date(valid_until) if valid_until else None,
        architectures=frozenset(fields.get("Architectures", "").split()),
        has_by_hash=fields.get("Acquire-By-Hash") == "yes",
        files=_parse_files(fields.get("SHA256", "")),
    )


def check_release(
    release: Release, *, requested: str, now: datetime, last_seen: datetime | None, where: str, may_be_old: bool = False
) -> None:
    """Refuse another suite than the requested, one from the future, an expired one, or an older one than before.

    `may_be_old` skips expiry and order: for a snapshot that was asked for by its date.
    """
    if requested not in (release.codename, release.suite):
        raise SignatureError(f"index `{where}` is of suite `{release.codename}`, not `{requested}`")
    if release.date > now + _CLOCK_TOLERANCE:
        raise SignatureError(
            f"index `{where}` is dated {release.date:%Y-%m-%d %H:%M} UTC, in the future",
            hint="Set the clock of this machine.",
        )
    if may_be_old:
        return
    if release.valid_until is not None and release.valid_until < now:
        raise SignatureError(
            f"index `{where}` expired on {release.valid_until:%Y-%m-%d %H:%M} UTC",
            hint="Use another mirror (LABBOX_DEBIAN_MIRROR), or set the clock of this machine.",
        )
    if last_seen is not None and release.date < last_seen:
        raise SignatureError(
            f"index `{where}` is of {release.date:%Y-%m-%d %H:%M} UTC, older than the one seen before"
            f" ({last_seen:%Y-%m-%d %H:%M} UTC)",
            hint="Use another mirror (LABBOX_DEBIAN_MIRROR), or wait until this one has caught up.",
        )


def _parse_date(text: str) -> datetime:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError as error:
        raise SignatureError(f"index has no readable date: `{text}`") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _parse_files(table: str) -> dict[str, IndexFile]:
    files = {}
    for line in table.split("\n"):
        parts = line.split()
        if len(parts) == 3:
            files[parts[2]] = IndexFile(path=parts[2], size=int(parts[1]), sha256=parts[0])
    return files
