"""A lab's lock: the system, the interpreters and every wheel, exactly, as a value.

`lock/lab_file.py` reads and writes `labbox.lock`; docs/formats describes it. The same lock always gives the same image.
"""

from dataclasses import dataclass

from labbox.lock.system import LockedDeb, SystemLock

FORMAT = 1
# Every rule that shapes a layer (decision 0010): a rule changes only together with this number.
LAYOUT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedImage:
    """An image that serves as the system instead of an assembled Debian: its name and the digest of its manifest."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedInterpreter:
    """A Python of the system: `version` in full (`3.13.5`), the path of its program, the tag of its ABI (`cp313`)."""

    version: str
    path: str
    abi: str

    @property
    def language(self) -> str:
        """The version of the language: `3.13`."""
        return ".".join(self.version.split(".")[:2])


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedSource:
    """The source archive that a wheel was built from."""

    url: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedWheel:
    """A wheel's very file. `name` is normalised (PEP 503); `source` is set where labbox built the wheel itself.

    `uploaded` is when it came to the index, in seconds since 1970, 0 when nobody says.
    """

    name: str
    version: str
    file_name: str
    url: str
    size: int
    sha256: str
    uploaded: int = 0
    source: LockedSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingSource:
    """A package of which only the source is to be had: a wheel must be built from it before it can be locked."""

    name: str
    version: str
    url: str
    sha256: str
    uploaded: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabLock:
    """A lab, exactly.

    `request` is the sha256 of what was asked for, by which a lock is seen to be out of date, and `python_request` that
    of the part of it that `packages` follow from; `additions` are the
    packages laid over the system in a layer of their own; `packages` go to /opt/env, `services` to /opt/labbox.
    `epoch` (seconds) is the time the image says it was made: that of the newest thing in it.
    """

    request: str
    layout: int
    platform: str
    epoch: int
    locked_at: str
    system: SystemLock | LockedImage
    additions: tuple[LockedDeb, ...]
    interpreter: LockedInterpreter
    services_interpreter: LockedInterpreter
    packages: tuple[LockedWheel, ...]
    services: tuple[LockedWheel, ...]
    layer_threshold: int = 1 << 20
    python_request: str = ""
