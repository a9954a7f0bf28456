"""The system's part of a lab's lock, as a value."""

from dataclasses import dataclass

from labbox.lock.lab import LockedImage, LockedInterpreter
from labbox.lock.system import LockedDeb, SystemLock


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemPart:
    """A lab's system, what is laid over it, its C library's version, and the Pythons of the lab and of its services."""

    system: SystemLock | LockedImage
    glibc: tuple[int, int]
    additions: tuple[LockedDeb, ...]
    interpreter: LockedInterpreter
    services_interpreter: LockedInterpreter
