"""Times as docker writes them: RFC 3339 in UTC with nanoseconds."""

import time

ZERO = "0001-01-01T00:00:00Z"


def now_text() -> str:
    """The time now."""
    return format_nanoseconds(time.time_ns())


def format_nanoseconds(nanoseconds: int) -> str:
    """Nanoseconds since 1970 as text: 2026-01-31T08:15:30.123456789Z."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    year, month, day, hour, minute, second = time.gmtime(seconds)[:6]
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{rest:09}Z"
