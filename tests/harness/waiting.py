"""Waiting for a condition with a deadline, instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

_Found = TypeVar("_Found")
_PAUSE_SECONDS = 0.01


def wait_until(
    condition: Callable[[], _Found], *, timeout_seconds: float = 20, what: str | Callable[[], str] = ""
) -> _Found:
    """The first true value of `condition`; AssertionError after the time-out."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_seconds} s: {what() if callable(what) else what or condition}")
        time.sleep(_PAUSE_SECONDS)
