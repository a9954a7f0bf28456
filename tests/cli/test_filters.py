import pytest

from labbox.cli.filters import Filters, check_choices, collect_filters, parse_filter
from labbox.errors import LabboxError, UsageError


def make(*texts: str) -> Filters:
    return collect_filters([parse_filter(text) for text in texts], {"name", "label", "status", "dangling", "exited"})


def test_a_filter_without_a_value_is_refused_in_dockers_words() -> None:
    with pytest.raises(UsageError, match="bad format of filter"):
        parse_filter("name")


def test_an_unknown_filter_is_refused_and_the_known_ones_named() -> None:
    with pytest.raises(LabboxError) as caught:
        make("foo=bar")
    assert caught.value.message == "Invalid filter 'foo'"
    assert "label" in (caught.value.hint or "")
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [("we", True), ("^web", True), ("web$", True), ("^eb", False), ("w.b", True), ("[", False), ("db", False)],
)
def test_names_match_by_part_or_pattern(pattern: str, *, matches: bool) -> None:
    assert make(f"name={pattern}").accepts_part_of("name", ["web"]) is matches


def test_values_of_one_filter_are_alternatives() -> None:
    filters = make("status=exited", "status=running")
    assert filters.accepts("status", ["running"])
    assert not filters.accepts("status", ["created"])
    assert filters.accepts("name", ["anything"])


def test_every_label_must_hold() -> None:
    filters = make("label=a", "label=b=2")
    assert filters.accepts_labels({"a": "1", "b": "2"})
    assert not filters.accepts_labels({"a": "1", "b": "3"})
    assert not filters.accepts_labels({"b": "2"})


def test_bad_values_are_refused() -> None:
    with pytest.raises(LabboxError, match=r"Invalid filter 'dangling=\[x\]'"):
        make("dangling=x").switch("dangling")
    with pytest.raises(LabboxError, match="Invalid filter 'exited=x'"):
        make("exited=x").numbers("exited")
    with pytest.raises(LabboxError, match="Invalid filter 'status=bad'"):
        check_choices(make("status=bad"), "status", ("created", "exited"))
    assert make("dangling=true").switch("dangling") is True
    assert make().switch("dangling") is None
    assert make("exited=3", "exited=-1").numbers("exited") == (3, -1)
