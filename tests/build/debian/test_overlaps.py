import pytest

from labbox.build.debian.overlaps import Overlap, canonical_path, find_overlaps
from labbox.errors import PackageError
from labbox.packages.debian.control import parse_paragraph
from labbox.packages.debian.deb_file import DebControl


def _control(name: str, replaces: str = "") -> DebControl:
    text = f"Package: {name}\nVersion: 1\n" + (f"Replaces: {replaces}\n" if replaces else "")
    return DebControl(fields=parse_paragraph(text), text=text, files={})


def test_the_package_that_replaces_the_other_keeps_the_file() -> None:
    controls = {"a": _control("a", "b (<< 2)"), "b": _control("b")}
    files = {"a": ["/usr/x"], "b": ["/usr/x", "/usr/y"]}
    assert find_overlaps(files, controls) == [Overlap(path="/usr/x", winner="a", losers=("b",))]
    controls = {"a": _control("a"), "b": _control("b", "a")}
    assert find_overlaps(files, controls) == [Overlap(path="/usr/x", winner="b", losers=("a",))]


def test_an_overlap_that_nothing_explains_is_an_error() -> None:
    controls = {"a": _control("a", "b (>> 2)"), "b": _control("b")}
    with pytest.raises(PackageError, match="packages `a` and `b` both bring `/x`, and neither replaces the other"):
        find_overlaps({"a": ["/x"], "b": ["/x"]}, controls)


def test_diverted_paths_do_not_overlap() -> None:
    controls = {"a": _control("a"), "b": _control("b")}
    assert find_overlaps({"a": ["/x"], "b": ["/x"]}, controls, ["/x"]) == []


def test_names_that_differ_by_merged_usr_go_to_the_last_package() -> None:
    controls = {"a": _control("a"), "b": _control("b")}
    files = {"a": ["/usr/bin/x"], "b": ["/bin/x"]}
    assert find_overlaps(files, controls) == [Overlap(path="/bin/x", winner="b", losers=())]


def test_paths_are_canonical_in_a_system_with_merged_usr() -> None:
    assert canonical_path("/lib/x86_64-linux-gnu/a.so") == "/usr/lib/x86_64-linux-gnu/a.so"
    assert canonical_path("/library/a") == "/library/a"
