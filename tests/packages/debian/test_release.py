from datetime import UTC, datetime, timedelta

import pytest

from labbox.errors import SignatureError, UnsupportedError
from labbox.packages.debian.release import Release, check_release, parse_release

_NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
_HASH = "ab" * 32


def _release(**changes: str) -> Release:
    fields = {"Suite": "stable", "Codename": "trixie", "Date": "Fri, 01 May 2026 08:00:00 UTC", **changes}
    head = "".join(f"{name}: {value}\n" for name, value in fields.items())
    return parse_release(f"{head}Architectures: all amd64\nSHA256:\n {_HASH} 12 main/binary-amd64/Packages.xz\n")


def _check(release: Release, **options: object) -> None:
    defaults = {"requested": "trixie", "now": _NOW, "last_seen": None, "where": "here"}
    check_release(release, **{**defaults, **options})  # type: ignore[arg-type]


def test_the_listed_index_is_found_with_its_hash() -> None:
    listed = _release().packages_file("main", "amd64")
    assert (listed.sha256, listed.size) == (_HASH, 12)
    assert listed.by_hash_path == f"main/binary-amd64/by-hash/SHA256/{_HASH}"


def test_an_unknown_architecture_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnsupportedError, match="no packages for `m68k`, only amd64"):
        _release().packages_file("main", "m68k")


def test_a_release_may_be_asked_for_by_suite_or_codename() -> None:
    _check(_release(), requested="trixie")
    _check(_release(), requested="stable")


def test_another_suite_than_the_requested_is_refused() -> None:
    with pytest.raises(SignatureError, match="is of suite `trixie`, not `bookworm`"):
        _check(_release(), requested="bookworm")


def test_a_release_from_the_future_is_refused() -> None:
    with pytest.raises(SignatureError, match="in the future"):
        _check(_release(Date="Mon, 04 May 2026 08:00:00 UTC"))


def test_an_expired_release_is_refused_unless_an_old_one_was_asked_for() -> None:
    release = _release(**{"Valid-Until": "Fri, 01 May 2026 09:00:00 UTC"})
    with pytest.raises(SignatureError, match="expired on 2026-05-01 09:00 UTC"):
        _check(release)
    _check(release, may_be_old=True)


def test_a_release_older_than_the_one_seen_before_is_refused() -> None:
    with pytest.raises(SignatureError, match="older than the one seen before"):
        _check(_release(), last_seen=_release().date + timedelta(seconds=1))
    _check(_release(), last_seen=_release().date)


def test_a_date_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(SignatureError, match="no readable date: `soon`"):
        _release(Date="soon")
