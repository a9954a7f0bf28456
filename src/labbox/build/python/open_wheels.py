"""Wheels opened for as long as they are needed."""

import os
import resource
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from labbox.errors import NotFoundError
from labbox.lock.lab import LockedWheel

_OTHER_DESCRIPTORS = 256


def open_wheels(wheels: Sequence[LockedWheel], files: Mapping[str, str], opened: ExitStack) -> list[int]:
    """Descriptors of wheels (sha256 → path), until `opened` is closed; raises NotFoundError for one that is missing."""
    _allow_descriptors(len(wheels))
    return [_open_wheel(wheel, files, opened) for wheel in wheels]


def _open_wheel(wheel: LockedWheel, files: Mapping[str, str], opened: ExitStack) -> int:
    try:
        descriptor = os.open(files[wheel.sha256], os.O_RDONLY | os.O_CLOEXEC)
    except (KeyError, FileNotFoundError) as error:
        raise NotFoundError(
            f"wheel `{wheel.file_name}` is not in the cache", hint="run `labbox up`: it fetches what the lock names"
        ) from error
    opened.callback(os.close, descriptor)
    return descriptor


def _allow_descriptors(count: int) -> None:
    """Lift the soft limit of open files: every wheel of a layer is open at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = count + _OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < needed:
        limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
