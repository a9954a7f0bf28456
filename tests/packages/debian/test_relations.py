import pytest

from labbox.errors import ResolutionError
from labbox.packages.debian.relations import Relation, format_alternatives, parse_relations


def test_groups_are_separated_by_commas_and_alternatives_by_bars() -> None:
    assert parse_relations("a (>= 1), b | c:any (<< 2~)") == (
        (Relation("a", ">=", "1"),),
        (Relation("b"), Relation("c", "<<", "2~", "any")),
    )


def test_restrictions_to_architectures_and_profiles_are_read() -> None:
    assert parse_relations("a [amd64 !i386] <!nocheck>, b(=1)") == ((Relation("a"),), (Relation("b", "=", "1"),))


def test_old_operators_mean_or_equal() -> None:
    assert parse_relations("a (< 1), b (> 2)") == ((Relation("a", "<=", "1"),), (Relation("b", ">=", "2"),))


def test_an_unversioned_provides_meets_unversioned_relations_only() -> None:
    assert Relation("a").accepts_provided(None)
    assert not Relation("a", ">=", "1").accepts_provided(None)
    assert Relation("a", ">=", "1").accepts_provided("2")


def test_a_group_is_written_as_debian_writes_it() -> None:
    assert format_alternatives(parse_relations("a (>=1)|b:any")[0]) == "a (>= 1) | b:any"


def test_what_cannot_be_read_is_named() -> None:
    with pytest.raises(ResolutionError, match=r"cannot read package relation `a \(>= 1`"):
        parse_relations("a (>= 1")
