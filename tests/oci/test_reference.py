import contextlib
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labbox.errors import UsageError
from labbox.oci.reference import Reference, parse_reference

HEX = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

# The grammar as github.com/distribution/reference/regexp.go composes it: the oracle of the property tests.
ALNUM = r"[a-z0-9]+"
SEPARATOR = r"(?:[._]|__|[-]+)"
PATH_COMPONENT = rf"{ALNUM}(?:{SEPARATOR}{ALNUM})*"
DOMAIN_COMPONENT = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
DOMAIN = rf"(?:{DOMAIN_COMPONENT}(?:\.{DOMAIN_COMPONENT})*|\[[a-fA-F0-9:]*:[a-fA-F0-9:]*\])(?::[0-9]+)?"
TAG = r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}"
DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
NAME = rf"(?:{DOMAIN}/)?{PATH_COMPONENT}(?:/{PATH_COMPONENT})*"
REFERENCE = re.compile(rf"\A({NAME})(?::({TAG}))?(?:@({DIGEST}))?\Z", re.ASCII)


@pytest.mark.parametrize(
    ("text", "full", "familiar"),
    [
        ("debian", "docker.io/library/debian", "debian"),
        ("debian:13", "docker.io/library/debian:13", "debian:13"),
        ("library/debian", "docker.io/library/debian", "debian"),
        ("docker.io/debian", "docker.io/library/debian", "debian"),
        ("index.docker.io/user/tool:1", "docker.io/user/tool:1", "user/tool:1"),
        ("user/tool", "docker.io/user/tool", "user/tool"),
        ("library/user/tool", "docker.io/library/user/tool", "library/user/tool"),
        ("ghcr.io/org/tool:v1.2", "ghcr.io/org/tool:v1.2", "ghcr.io/org/tool:v1.2"),
        ("localhost/tool", "localhost/tool", "localhost/tool"),
        ("localhost:5000/tool:x", "localhost:5000/tool:x", "localhost:5000/tool:x"),
        ("host:5000/a/b/c", "host:5000/a/b/c", "host:5000/a/b/c"),
        ("HOST/tool", "HOST/tool", "HOST/tool"),
        ("[::1]:5000/tool", "[::1]:5000/tool", "[::1]:5000/tool"),
        ("a__b/c---d/e.f_g", "docker.io/a__b/c---d/e.f_g", "a__b/c---d/e.f_g"),
        (f"tool@sha256:{HEX}", f"docker.io/library/tool@sha256:{HEX}", f"tool@sha256:{HEX}"),
        (f"tool:1@sha256:{HEX}", f"docker.io/library/tool:1@sha256:{HEX}", f"tool:1@sha256:{HEX}"),
        ("tool:" + "x" * 128, "docker.io/library/tool:" + "x" * 128, "tool:" + "x" * 128),
    ],
)
def test_docker_names_have_a_full_and_a_familiar_form(text: str, full: str, familiar: str) -> None:
    reference = parse_reference(text)
    assert str(reference) == full
    assert reference.familiar == familiar
    assert parse_reference(full) == reference
    assert parse_reference(familiar) == reference


@pytest.mark.parametrize(
    "text",
    [
        "", ":", "a:", "a@", "a:b:c", "/a", "a/", "a//b", "-a", "a-", "a..b", "a___b", "a.-b", "a b", "a:tag!", "a:.x",
        "a@sha256:abc", "a@" + HEX, "host:port/a", "host:/a", "-host.x/a", "a\n", "ä/b", "a:ä", "tool:" + "x" * 129,
        "[::1/tool", "[x]/tool", "..", ".", "a/../b", "a@sha256:" + HEX.upper(),
    ],
)  # fmt: skip
def test_what_docker_refuses_is_an_invalid_reference_format(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_reference(text)
    assert caught.value.message == "invalid reference format"
    assert caught.value.exit_code == 125


def test_upper_case_names_are_refused_in_docker_words() -> None:
    with pytest.raises(UsageError) as caught:
        parse_reference("Debian:13")
    expected = "invalid reference format: repository name (library/Debian) must be lowercase"
    assert caught.value.message == expected


def test_sixty_four_digits_are_an_id_and_no_name() -> None:
    with pytest.raises(UsageError, match="cannot specify 64-byte hexadecimal strings"):
        parse_reference(HEX)


def test_a_short_digest_of_a_known_algorithm_is_refused() -> None:
    with pytest.raises(UsageError, match="invalid reference format: invalid digest"):
        parse_reference("a@sha256:" + "0" * 40)


def test_names_are_at_most_255_characters_long() -> None:
    longest = "a" * (255 - len("docker.io/library/"))
    assert parse_reference(longest).path == "library/" + longest
    with pytest.raises(UsageError, match="must not be more than 255 characters"):
        parse_reference(longest + "a")


def test_the_default_tag_is_latest_unless_a_tag_or_digest_is_given() -> None:
    assert str(parse_reference("a").with_default_tag()) == "docker.io/library/a:latest"
    assert parse_reference("a:1").with_default_tag().tag == "1"
    assert parse_reference(f"a@sha256:{HEX}").with_default_tag().tag == ""


HOST = st.one_of(
    st.sampled_from(["localhost", "[fe80::1]:5000", "Host"]), st.from_regex(rf"\A[a-c0-9]{{1,4}}\.{DOMAIN}\Z")
)
COMPONENT = st.from_regex(rf"\A{PATH_COMPONENT}\Z").filter(lambda text: len(text) < 40)
NAMES = st.builds(
    lambda host, first, rest: "/".join([*host, first, *rest]),
    st.lists(HOST.filter(lambda text: len(text) < 60 and "[" not in text[1:]), max_size=1),
    COMPONENT.filter(lambda text: "." not in text and len(text) < 40),
    st.lists(COMPONENT, max_size=2),
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(NAMES, st.from_regex(rf"(?:\A:{TAG})?\Z", fullmatch=True), st.sampled_from(["", f"@sha256:{HEX}"]))
def test_every_text_of_the_grammar_parses_and_survives_a_round_trip(name: str, tag: str, digest: str) -> None:
    reference = parse_reference(name + tag + digest)
    assert reference.tag == tag[1:]
    assert (reference.digest is not None) == bool(digest)
    assert parse_reference(str(reference)) == reference
    assert parse_reference(reference.familiar) == reference


@given(st.text(alphabet="aZ09._-/:@[]é \n", max_size=20))
def test_what_parses_is_in_the_grammar(text: str) -> None:
    try:
        reference = parse_reference(text)
    except UsageError:
        return
    assert REFERENCE.match(str(reference))


@given(st.text(max_size=40))
def test_no_text_raises_anything_but_a_usage_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert isinstance(parse_reference(text), Reference)
