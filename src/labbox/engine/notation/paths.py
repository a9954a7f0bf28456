"""Paths in the values of flags: where a mount may land, and what a folder of the host is called in full."""

import os

from labbox.errors import UsageError


def check_target(target: str, what: str) -> str:
    """The normalised container path; raises UsageError when it is not absolute, or is the root."""
    if not target.startswith("/"):
        raise UsageError(f"{what}: invalid mount path: '{target}' mount path must be absolute")
    normal = "/" + os.path.normpath(target).lstrip("/")
    if normal == "/":
        raise UsageError(f"{what}: invalid specification: destination can't be '/'")
    return normal


def is_host_path(source: str) -> bool:
    """True for what docker takes as a folder of the host: an absolute path, or one that begins with a dot."""
    return source in {".", ".."} or source.startswith(("/", "./", "../"))
