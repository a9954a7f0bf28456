import pytest

from labbox.errors import ResolutionError
from labbox.packages.debian.solver import parse_wanted, resolve_addition, resolve_system
from labbox.packages.debian.universe import Universe
from packages.debian.paragraphs import index_of, paragraph

_BASE = (
    paragraph("base-files", essential=True),
    paragraph("apt", depends="libc6"),
    paragraph("libc6", "2.41"),
    paragraph("tzdata", priority="required"),
)


def _universe(*paragraphs: str) -> Universe:
    return Universe([index_of(*_BASE, *paragraphs)], "amd64")


def _names(universe: Universe, *wanted: str) -> list[str]:
    base = {"apt", "base-files", "libc6", "tzdata"}
    return [package.name for package in resolve_system(universe, wanted).packages if package.name not in base]


def test_every_system_has_the_essential_and_required_packages_and_apt() -> None:
    resolution = resolve_system(_universe(), [])
    assert [package.name for package in resolution.packages] == ["apt", "base-files", "libc6", "tzdata"]
    assert resolution.manual == {"apt", "base-files", "tzdata"}
    assert resolution.base == {"apt", "base-files", "libc6", "tzdata"}


def test_what_a_package_needs_comes_along_without_recommendations() -> None:
    universe = _universe(paragraph("a", depends="b (>= 1)"), paragraph("b", "2", depends="c"), paragraph("c"))
    assert _names(universe, "a") == ["a", "b", "c"]
    assert resolve_system(universe, ["a"]).base == {"apt", "base-files", "libc6", "tzdata"}


def test_the_newest_version_of_all_suites_is_taken() -> None:
    universe = Universe([index_of(*_BASE, paragraph("a", "1")), index_of(paragraph("a", "1+deb13u1"))], "amd64")
    (package,) = [package for package in resolve_system(universe, ["a"]).packages if package.name == "a"]
    assert package.version == "1+deb13u1"


def test_a_version_may_be_asked_for() -> None:
    universe = _universe(paragraph("a", "1"), paragraph("a", "2"))
    (package,) = [package for package in resolve_system(universe, ["a=1"]).packages if package.name == "a"]
    assert package.version == "1"
    with pytest.raises(ResolutionError, match="has no version `3`") as caught:
        resolve_system(_universe(paragraph("a", "1"), paragraph("a", "2")), ["a=3"])
    assert caught.value.hint == "The archive has `2`, `1`."


def test_the_first_alternative_is_taken() -> None:
    universe = _universe(paragraph("a", depends="b | c"), paragraph("b"), paragraph("c"))
    assert _names(universe, "a") == ["a", "b"]


def test_an_alternative_that_is_wanted_anyway_is_enough() -> None:
    universe = _universe(paragraph("a", depends="b | c"), paragraph("b"), paragraph("c"), paragraph("d", depends="c"))
    assert _names(universe, "a", "d") == ["a", "c", "d"]


def test_an_alternative_in_conflict_with_what_is_chosen_is_passed_over() -> None:
    universe = _universe(paragraph("a", depends="b | c"), paragraph("b", conflicts="d"), paragraph("c"), paragraph("d"))
    assert _names(universe, "a", "d") == ["a", "c", "d"]


def test_a_choice_that_leads_into_a_conflict_later_is_taken_back() -> None:
    universe = _universe(
        paragraph("a", depends="b | c, e | f"),
        paragraph("b"),
        paragraph("c"),
        paragraph("e", depends="g"),
        paragraph("f", depends="g"),
        paragraph("g", conflicts="b"),
    )
    assert _names(universe, "a") == ["a", "c", "e", "g"]


def test_a_virtual_package_is_satisfied_by_its_provider() -> None:
    universe = _universe(paragraph("a", depends="mta"), paragraph("exim", provides="mta"))
    assert _names(universe, "a") == ["a", "exim"]


def test_the_real_package_is_preferred_to_a_provider_and_priority_decides_between_providers() -> None:
    universe = _universe(
        paragraph("a", depends="x, y"),
        paragraph("x"),
        paragraph("other", provides="x"),
        paragraph("early", provides="y"),
        paragraph("late", provides="y", priority="standard"),
    )
    assert _names(universe, "a") == ["a", "late", "x"]


def test_a_versioned_provides_meets_versioned_needs_and_an_unversioned_one_does_not() -> None:
    universe = _universe(
        paragraph("a", depends="x (>= 2)"), paragraph("p", provides="x (= 3)"), paragraph("q", provides="x")
    )
    assert _names(universe, "a") == ["a", "p"]


def test_a_superseded_version_provides_nothing() -> None:
    universe = Universe(
        [
            index_of(*_BASE, paragraph("a", depends="x"), paragraph("p", "1", provides="x")),
            index_of(paragraph("p", "2")),
        ],
        "amd64",
    )
    with pytest.raises(ResolutionError, match="needs `x`, which the archive does not have"):
        resolve_system(universe, ["a"])


def test_a_conflict_between_wanted_packages_names_both_and_why_they_are_there() -> None:
    universe = _universe(paragraph("a", depends="c"), paragraph("b", conflicts="c"), paragraph("c"))
    with pytest.raises(ResolutionError) as caught:
        resolve_system(universe, ["a", "b"])
    assert caught.value.message == ("packages `c` (needed by `a`) and `b` (asked for) cannot be installed together")


def test_a_package_may_conflict_with_what_it_provides_itself() -> None:
    universe = _universe(paragraph("a", provides="mta", conflicts="mta"))
    assert _names(universe, "a") == ["a"]


def test_an_unmet_need_names_the_chain() -> None:
    universe = _universe(paragraph("a", depends="b"), paragraph("b", depends="c (>= 2) | d"), paragraph("c", "1"))
    with pytest.raises(ResolutionError) as caught:
        resolve_system(universe, ["a"])
    assert caught.value.message == (
        "package `b` 1 (needed by `a`) needs `c (>= 2) | d`, which the archive does not have"
    )


def test_an_unknown_package_is_refused_with_names_like_it() -> None:
    with pytest.raises(ResolutionError, match="unknown Debian package `graphvis`") as caught:
        resolve_system(_universe(paragraph("graphviz"), paragraph("git")), ["graphvis"])
    assert caught.value.hint == "Did you mean `graphviz`?"


def test_a_virtual_package_with_several_providers_is_refused_with_their_names() -> None:
    universe = _universe(paragraph("exim", provides="mta"), paragraph("postfix", provides="mta"))
    with pytest.raises(ResolutionError, match="`mta` is virtual") as caught:
        resolve_system(universe, ["mta"])
    assert caught.value.hint == "Ask for one of `exim`, `postfix`."


def test_packages_of_another_architecture_do_not_count() -> None:
    text = paragraph("a").replace("Architecture: amd64", "Architecture: arm64")
    with pytest.raises(ResolutionError, match="unknown Debian package `a`"):
        resolve_system(_universe(text), ["a"])


def test_an_addition_holds_only_what_is_not_installed() -> None:
    universe = _universe(paragraph("a", depends="libc6, b"), paragraph("b"))
    installed = resolve_system(universe, []).packages
    resolution = resolve_addition(universe, ["a"], installed)
    assert [package.name for package in resolution.packages] == ["a", "b"]
    assert resolution.manual == {"a"}


def test_an_addition_in_conflict_with_what_is_installed_is_refused() -> None:
    universe = _universe(paragraph("a", conflicts="tzdata"))
    with pytest.raises(ResolutionError, match=r"`a` \(asked for\) and `tzdata` \(already installed\)"):
        resolve_addition(universe, ["a"], resolve_system(universe, []).packages)


def test_wanted_packages_are_separated_by_commas() -> None:
    assert parse_wanted("git, curl,,jq=1.7") == ["git", "curl", "jq=1.7"]
