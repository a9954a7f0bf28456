import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbox.cli.clock import parse_duration, parse_moment, parse_moment_nanoseconds, parse_rfc3339, seconds_since
from labbox.errors import UsageError

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("2026-11-22T17:04:42.780857411Z", 1795367082.780857411),
        ("2026-11-22T17:04:42+01:00", 1795363482.0),
        ("2026-11-22T17:04:42-0030", 1795367082.0 + 30 * 3600),
        ("2026-11-22T17:04", 1795367040.0),
        ("2026-11-22", 1795305600.0),
    ],
)
def test_times_are_read(text: str, seconds: float) -> None:
    assert parse_rfc3339(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("42m", NOW - 2520), ("1h30m", NOW - 5400), ("1.5h", NOW - 5400), ("300ms", NOW - 0.3), ("1700000000", 1.7e9)],
)
def test_since_takes_durations_before_now_and_numbers(text: str, seconds: float) -> None:
    assert parse_moment(text, NOW) == pytest.approx(seconds)


def test_since_refuses_what_is_no_time() -> None:
    with pytest.raises(UsageError, match='failed to parse value as time or duration: "foo"'):
        parse_moment("foo", NOW)


@pytest.mark.parametrize("text", ["", "5", "h", "1x", "1hh", "-1h"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert parse_duration(text) is None


def test_what_never_happened_was_no_time_ago() -> None:
    assert seconds_since("", NOW) is None
    assert seconds_since("0001-01-01T00:00:00Z", NOW) is None


@given(st.text(max_size=30))
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        parse_moment(text, NOW)


def test_a_moment_is_exact_to_the_nanosecond() -> None:
    assert parse_moment_nanoseconds("2026-11-22T17:04:42.780857411Z", 0) == 1795367082_780857411
    assert parse_moment_nanoseconds("1795367082.780857411", 0) == 1795367082_780857411
    assert parse_moment_nanoseconds("2s", 5_000_000_007) == 3_000_000_007
