"""Sizes, durations and times as docker writes and reads them (github.com/docker/go-units)."""

from labbox.errors import UsageError

_SECOND = 1
_MINUTE = 60
_HOUR = 3600
_DAY_HOURS = 24

_DECIMAL_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
_BINARY_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")
_UNIT_LETTERS = "bkmgtp"


def human_duration(seconds: float) -> str:
    """A span of time in the largest fitting unit: `Less than a second`, `About an hour`, `3 weeks`."""
    whole = int(seconds)
    minutes = whole // _MINUTE
    hours = int(seconds / _HOUR + 0.5)
    days = hours // _DAY_HOURS
    # the limits are go-units' own: 48 hours, two weeks, two months, two years
    steps = (
        (whole < _SECOND, "Less than a second"),
        (whole == _SECOND, "1 second"),
        (whole < _MINUTE, f"{whole} seconds"),
        (minutes == 1, "About a minute"),
        (minutes < 60, f"{minutes} minutes"),
        (hours == 1, "About an hour"),
        (hours < 48, f"{hours} hours"),
        (hours < _DAY_HOURS * 7 * 2, f"{days} days"),
        (hours < _DAY_HOURS * 30 * 2, f"{days // 7} weeks"),
        (hours < _DAY_HOURS * 365 * 2, f"{days // 30} months"),
    )
    return next((text for fits, text in steps if fits), f"{int(seconds / _HOUR) // 24 // 365} years")


def human_size(size_bytes: float, *, digits: int = 3) -> str:
    """A size in decimal units with `digits` significant digits: `8MB`, `1.23GB`."""
    return _scale(size_bytes, 1000.0, _DECIMAL_UNITS, digits)


def human_binary_size(size_bytes: float) -> str:
    """A size in binary units with four significant digits: `1.184MiB`."""
    return _scale(size_bytes, 1024.0, _BINARY_UNITS, 4)


def parse_size(text: str) -> int:
    """Bytes from docker's spelling of sizes (`512m`, `8g`, `1.5 GiB`, `100b`); units are powers of 1024."""
    lower = text.strip().lower().removesuffix("ib") if len(text.strip()) > 2 else text.strip().lower()
    lower = lower.removesuffix("b") or lower
    unit = lower[-1:] if lower[-1:] in tuple(_UNIT_LETTERS) else ""
    number = lower.removesuffix(unit).removesuffix(" ")
    try:
        value = float(number) if number[:1].isdigit() and set(number) <= set("0123456789.") else -1.0
    except ValueError:
        value = -1.0
    if value < 0:
        raise UsageError(f"invalid size: '{text}'")
    return int(value * 1024 ** _UNIT_LETTERS.index(unit or "b"))


def human_status(status: str, exit_code: int, started_seconds: float | None, finished_seconds: float | None) -> str:
    """The STATUS column of `ps` from how long ago a container started and finished (None: never)."""
    if status == "running":
        return f"Up {human_duration(started_seconds or 0.0)}"
    if status == "restarting":
        return f"Restarting ({exit_code}) {human_duration(finished_seconds or 0.0)} ago"
    if status == "exited" and finished_seconds is not None:
        return f"Exited ({exit_code}) {human_duration(finished_seconds)} ago"
    return "Created" if status == "created" else status.capitalize()


def _scale(value: float, base: float, units: tuple[str, ...], digits: int) -> str:
    unit = 0
    while unit < len(units) - 1:
        # rounding may reach the next unit: 999.9kB is 1MB in three digits
        if _rounded(value, digits) < base:
            break
        value = max(value, base) / base
        unit += 1
    return f"{_rounded(value, digits):.{digits}f}".rstrip("0").rstrip(".") + units[unit]


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")
