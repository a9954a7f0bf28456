"""Where the archive's files may be had: the user's mirror, the host's own, the public ones, the snapshot archive."""

import glob
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from labbox.errors import DownloadError, UsageError
from labbox.packages.debian.control import parse_paragraphs

DEBIAN = "debian"
SECURITY = "debian-security"

_PUBLIC = {
    DEBIAN: ("https://deb.debian.org/debian", "http://archive.debian.org/debian"),
    SECURITY: ("https://deb.debian.org/debian-security", "http://archive.debian.org/debian-security"),
}
_SNAPSHOT = "https://snapshot.debian.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrors:
    """Base addresses of each archive, best first, and of the snapshot service."""

    bases: Mapping[str, tuple[str, ...]]
    snapshot: str = _SNAPSHOT

    @property
    def snapshot_host(self) -> str:
        """The server of the snapshot service; it allows only few requests at once."""
        return urlsplit(self.snapshot).netloc

    def addresses(self, archive: str, path: str) -> list[str]:
        """Every address of a file of an archive, best first."""
        return [f"{base}/{quote(path, safe=_PATH_CHARACTERS)}" for base in self.bases[archive]]

    def snapshot_address(self, archive: str, moment: datetime, path: str) -> str:
        """Where snapshot.debian.org keeps the file as it was at a moment (it redirects to the nearest earlier one)."""
        return f"{self.snapshot}/archive/{archive}/{moment:%Y%m%dT%H%M%SZ}/{quote(path, safe=_PATH_CHARACTERS)}"


# Pool paths hold versions with `+`, `~` and `%3a`; mirrors want the first two as they are.
_PATH_CHARACTERS = "/+~:%"


def find_mirrors(environment: Mapping[str, str], config: Mapping[str, Any], *, apt_dir: str = "/etc/apt") -> Mirrors:
    """The user's mirror, else the host's own; after these the public mirrors and the archive of old releases.

    The user's is LABBOX_DEBIAN_MIRROR, or `mirror` in `[debian]` of the settings; the host's stands in its apt sources.
    """
    section = config.get("debian", {})
    if not isinstance(section, Mapping):
        raise UsageError("settings: `debian` must be a table")
    chosen = _chosen(environment, section)
    first = chosen if chosen[DEBIAN] or chosen[SECURITY] else read_apt_sources(apt_dir)
    bases = {archive: _unique([*first[archive], *_PUBLIC[archive]]) for archive in (DEBIAN, SECURITY)}
    snapshot = environment.get("LABBOX_DEBIAN_SNAPSHOT") or _text(section, "snapshot") or _SNAPSHOT
    return Mirrors(bases=bases, snapshot=snapshot.rstrip("/"))


def read_apt_sources(apt_dir: str) -> dict[str, list[str]]:
    """Mirrors of Debian that the host's apt uses, from both formats of sources.list(5), by archive."""
    found: dict[str, list[str]] = {DEBIAN: [], SECURITY: []}
    patterns = ("sources.list", "sources.list.d/*.list", "sources.list.d/*.sources")
    for path in sorted(path for pattern in patterns for path in glob.glob(os.path.join(apt_dir, pattern))):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:  # a file that only root may read is no reason to stop
            continue
        for uri in _deb822_uris(text) if path.endswith(".sources") else _one_line_uris(text):
            archive = _archive_of(uri)
            if archive:
                found[archive].append(uri.rstrip("/"))
    return found


def locate_by_hash(
    mirrors: Mirrors, read: Callable[[str], bytes], *, name: str, version: str, sha1: str | None, file_name: str
) -> Iterator[str]:
    """Addresses below snapshot.debian.org's `/file/`, which is keyed by SHA-1.

    The SHA-1 comes from the lock, else from the machine-readable interface
    (https://salsa.debian.org/snapshot-team/snapshot/raw/master/API).
    """
    if sha1:
        yield f"{mirrors.snapshot}/file/{sha1}"
        return
    query = f"{mirrors.snapshot}/mr/binary/{quote(name)}/{quote(version)}/binfiles?fileinfo=1"
    try:
        answer = json.loads(read(query))
        information = answer.get("fileinfo", {})
        hashes = [entry["hash"] for entry in answer.get("result", [])]
    except (DownloadError, OSError, ValueError, KeyError, AttributeError, TypeError):
        return
    for found in hashes:
        names = {entry.get("name") for entry in information.get(found, [])}
        if not names or file_name in names:
            yield f"{mirrors.snapshot}/file/{quote(str(found))}"


def _chosen(environment: Mapping[str, str], section: Mapping[str, Any]) -> dict[str, list[str]]:
    debian = environment.get("LABBOX_DEBIAN_MIRROR") or _text(section, "mirror")
    security = environment.get("LABBOX_DEBIAN_SECURITY_MIRROR") or _text(section, "security_mirror")
    for address in filter(None, (debian, security)):
        if urlsplit(address).scheme not in ("http", "https"):
            raise UsageError(f"Debian mirror `{address}` is not an http or https address")
    if debian and not security and debian.rstrip("/").endswith("/debian"):
        security = debian.rstrip("/") + "-security"  # most mirrors of both keep them side by side
    return {
        DEBIAN: [debian.rstrip("/")] if debian else [],
        SECURITY: [security.rstrip("/")] if security else [],
    }


def _text(section: Mapping[str, Any], key: str) -> str:
    value = section.get(key, "")
    if not isinstance(value, str):
        raise UsageError(f"settings: `debian.{key}` must be text")
    return value


def _one_line_uris(text: str) -> Iterator[str]:
    for line in text.splitlines():
        words = _without_options(line.partition("#")[0]).split()
        if len(words) > 2 and words[0] == "deb":
            yield words[1]


def _without_options(line: str) -> str:
    start, end = line.find("["), line.find("]")
    return line[:start] + line[end + 1 :] if 0 <= start < end else line


def _deb822_uris(text: str) -> Iterator[str]:
    for fields in parse_paragraphs(text):
        values = {name.lower(): value for name, value in fields.items()}
        if "deb" in values.get("types", "").split() and values.get("enabled", "yes").lower() not in ("no", "false"):
            yield from values.get("uris", "").split()


def _archive_of(uri: str) -> str | None:
    """The archive that a mirror's address names by its last part, as all mirrors of Debian do."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        return None
    last = parts.path.rstrip("/").rpartition("/")[2]
    return last if last in (DEBIAN, SECURITY) else None


def _unique(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(addresses))
