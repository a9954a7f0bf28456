"""Times on the command line: RFC 3339 in, docker's spellings out, without the 10 ms that datetime costs."""

import time

from labbox.errors import UsageError

ZERO_TIME = "0001-01-01T00:00:00Z"  # Go's time that never was

_DURATION_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_rfc3339(text: str) -> float:
    """Seconds since 1970 of a time as containers record it; raises UsageError when it is no time."""
    return parse_rfc3339_nanoseconds(text) / 1e9


def parse_rfc3339_nanoseconds(text: str) -> int:
    """As `parse_rfc3339`, to the nanosecond: a floating-point number cannot hold one of today's times exactly."""
    date, _, clock = text.partition("T")
    clock, offset_seconds = _split_offset(clock)
    whole, _, fraction = clock.partition(".")
    # a date alone, or a time without seconds, is a time too (`--since 2026-01-31`)
    days = _numbers(date, "-", 3)
    parts = _numbers(whole, ":", 3) or _numbers(f"{whole}:00" if whole else "00:00:00", ":", 3)
    if days is None or parts is None or not _is_time(days, parts) or not (fraction or "0").isdecimal():
        raise UsageError(f'failed to parse value as time or duration: "{text}"')
    seconds = _days_since_1970(*days) * 86400 + parts[0] * 3600 + parts[1] * 60 + parts[2] - offset_seconds
    return seconds * 1_000_000_000 + _nanoseconds(fraction)


def parse_moment(text: str, now: float) -> float:
    """Seconds since 1970 of what `--since` takes: a time, a number of seconds since 1970, or a duration before now."""
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return float(text)
    duration = parse_duration(text)
    return parse_rfc3339(text) if duration is None else now - duration


def parse_moment_nanoseconds(text: str, now_ns: int) -> int:
    """As `parse_moment`, to the nanosecond."""
    if text.isascii() and text.replace(".", "", 1).isdigit():
        whole, _, fraction = text.partition(".")
        return int(whole or 0) * 1_000_000_000 + _nanoseconds(fraction)
    duration = parse_duration(text)
    return parse_rfc3339_nanoseconds(text) if duration is None else now_ns - int(duration * 1e9)


def parse_duration(text: str) -> float | None:
    """Seconds of a Go duration (`1h30m`, `90s`), or None when the text is none."""
    rest, total = text, 0.0
    while rest:
        number = rest[: len(rest) - len(rest.lstrip("0123456789."))]
        rest = rest[len(number) :]
        unit = rest[: len(rest) - len(rest.lstrip("nmush"))]
        unit = unit if unit in _DURATION_SECONDS else unit[:1]
        if unit not in _DURATION_SECONDS or not number.replace(".", "", 1).isdigit():
            return None
        total += float(number) * _DURATION_SECONDS[unit]
        rest = rest[len(unit) :]
    return total if text else None


def seconds_since(text: str, now: float) -> float | None:
    """How long ago a recorded time is; None for an empty one."""
    return max(0.0, now - parse_rfc3339(text)) if text and text != ZERO_TIME else None


def show_local(text: str) -> str:
    """A recorded time in docker's CreatedAt spelling, in this machine's time zone: `2026-11-22 17:04:42 +0000 UTC`."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(parse_rfc3339(text)))


def _nanoseconds(fraction: str) -> int:
    """What stands behind the point of a number of seconds."""
    return int(fraction[:9].ljust(9, "0"))


def _split_offset(clock: str) -> tuple[str, int]:
    if clock.endswith("Z"):
        return clock[:-1], 0
    for sign in "+-":
        head, found, tail = clock.partition(sign)
        hours, _, minutes = tail.partition(":")
        if found and hours.isdigit() and (minutes or "0").isdigit():
            seconds = int(hours) * 3600 + int(minutes or "0") * 60
            return head, seconds if sign == "+" else -seconds
    return clock, 0


def _numbers(text: str, separator: str, count: int) -> tuple[int, int, int] | None:
    parts = text.split(separator)
    if len(parts) != count or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    first, second, third = map(int, parts)
    return first, second, third


def _is_time(days: tuple[int, int, int], parts: tuple[int, int, int]) -> bool:
    year, month, day = days
    hour, minute, second = parts
    return 1 <= year <= 9999 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60


def _days_since_1970(year: int, month: int, day: int) -> int:
    """Days of the Gregorian calendar, counting years from March so that the leap day is the last (RFC 3339, app. B)."""
    if month < 3:
        year, month = year - 1, month + 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719469
