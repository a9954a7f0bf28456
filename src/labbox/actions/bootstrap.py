"""`labbox bootstrap`: make a system image from the Debian archive."""

from collections.abc import Callable
from dataclasses import dataclass

from labbox.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapRequest:
    """What to make: a release, packages besides the base system, the image's name, lock files to read or to write."""

    release: str = "debian:13"
    include: tuple[str, ...] = ()
    name: str | None = None  # default: the release's own name
    write_lock: str | None = None
    from_lock: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapResult:
    """The image that was made (or was there already) and how many packages and bytes it holds."""

    name: str
    image_id: str
    manifest_digest: str
    packages: int
    size_bytes: int
    was_present: bool


# stage (`index`, `download`, `unpack`, `configure`, `finish`), done, total; bytes while downloading, else steps
ReportStage = Callable[[str, int, int], None]
