import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbox.cli.humanize import human_binary_size, human_duration, human_size, human_status, parse_size
from labbox.errors import UsageError

MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "Less than a second"),
        (1.9, "1 second"),
        (59.9, "59 seconds"),
        (MINUTE, "About a minute"),
        (2 * MINUTE, "2 minutes"),
        (59 * MINUTE, "59 minutes"),
        (HOUR, "About an hour"),
        (89 * MINUTE, "About an hour"),
        (90 * MINUTE, "2 hours"),
        (47 * HOUR, "47 hours"),
        (48 * HOUR, "2 days"),
        (13 * DAY, "13 days"),
        (14 * DAY, "2 weeks"),
        (59 * DAY, "8 weeks"),
        (60 * DAY, "2 months"),
        (729 * DAY, "24 months"),
        (730 * DAY, "2 years"),
    ],
)
def test_durations_read_as_dockers(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "digits", "text"),
    [
        (0, 3, "0B"),
        (7996204, 3, "8MB"),
        (7996204, 4, "7.996MB"),
        (999, 3, "999B"),
        (1000, 3, "1kB"),
        (1_230_000_000, 3, "1.23GB"),
        (123_456_789, 3, "123MB"),
        (999_900, 3, "1MB"),
    ],
)
def test_sizes_read_as_dockers(size: int, digits: int, text: str) -> None:
    assert human_size(size, digits=digits) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (278528, "272KiB"), (1241513, "1.184MiB"), (1023.99, "1KiB"), (25275882209, "23.54GiB")],
)
def test_binary_sizes_read_as_dockers(size: float, text: str) -> None:
    assert human_binary_size(size) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("100", 100),
        ("100b", 100),
        ("1k", 1024),
        ("1kb", 1024),
        ("512m", 512 << 20),
        ("8g", 8 << 30),
        ("8G", 8 << 30),
        ("8gb", 8 << 30),
        ("8GiB", 8 << 30),
        ("8 GiB", 8 << 30),
        ("1.5g", 3 << 29),
        ("2t", 2 << 40),
        ("1p", 1 << 50),
    ],
)
def test_sizes_are_read_as_dockers(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "xx", "-1", "g", "1x", "1..5g", "1e3", "\u0661", "1gg", "0x10", "ib", "nan", "inf"]
)
def test_what_is_no_size_is_refused_in_dockers_words(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_size(text)
    assert caught.value.message == f"invalid size: '{text}'"


@given(st.text())
def test_any_text_is_a_size_or_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert parse_size(text) >= 0


@given(st.integers(min_value=0, max_value=10**24))
def test_a_shown_size_never_has_an_exponent(size: int) -> None:
    assert human_size(size).rstrip("BkMGTPEZY").replace(".", "").isdigit()


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (("running", 0, 7300.0, None), "Up 2 hours"),
        (("exited", 3, 90.0, 1.5), "Exited (3) 1 second ago"),
        (("created", 0, None, None), "Created"),
        (("restarting", 1, 5.0, 2.0), "Restarting (1) 2 seconds ago"),
    ],
)
def test_the_status_column_reads_as_dockers(state: tuple[str, int, float | None, float | None], text: str) -> None:
    assert human_status(*state) == text
