import pytest

from labbox.registry.challenge import parse_challenges


@pytest.mark.parametrize(
    ("header", "scheme", "parameters"),
    [
        ('Basic realm="lab"', "basic", {"realm": "lab"}),
        ("Basic realm=lab", "basic", {"realm": "lab"}),
        (
            'Bearer realm="https://h/token",service="s",scope="repository:a:pull,push"',
            "bearer",
            {"realm": "https://h/token", "service": "s", "scope": "repository:a:pull,push"},
        ),
        ('BEARER  Realm = "a\\"b" , Service=x', "bearer", {"realm": 'a"b', "service": "x"}),
        ("Negotiate", "negotiate", {}),
    ],
)
def test_a_challenge_is_a_scheme_and_parameters(header: str, scheme: str, parameters: dict[str, str]) -> None:
    (challenge,) = parse_challenges([header])

    assert (challenge.scheme, challenge.parameters) == (scheme, parameters)


def test_several_challenges_may_stand_in_one_header_or_in_several() -> None:
    found = parse_challenges(['Basic realm="a", Bearer realm="b",service="c"', "Negotiate"])

    assert [challenge.scheme for challenge in found] == ["basic", "bearer", "negotiate"]
    assert found[1].parameters == {"realm": "b", "service": "c"}


def test_one_scope_parameter_may_hold_two_scopes() -> None:
    (challenge,) = parse_challenges(['Bearer realm="r",scope="repository:a:pull repository:b:pull,push"'])

    assert challenge.scopes == ("repository:a:pull", "repository:b:pull,push")


@pytest.mark.parametrize("header", ["", ",", '="x"', "\x00"])
def test_what_cannot_be_read_is_no_challenge(header: str) -> None:
    assert parse_challenges([header]) == []
