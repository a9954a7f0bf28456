import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbox.actions.container_names import invent_name
from labbox.actions.create import ContainerRequest, choose_command, merge_environment
from labbox.actions.find_image import debian_release, familiar_name
from labbox.actions.signals import parse_signal, signal_name
from labbox.engine.embedded.records import check_name
from labbox.engine.specification import ContainerSpec
from labbox.errors import LabboxError, UsageError
from labbox.oci.config import ImageConfig
from labbox.oci.digest import Digest
from labbox.oci.platform import Platform
from labbox.store.images import StoredImage

DIGEST = Digest("sha256", "0" * 64)
SPEC = ContainerSpec(id="", name="", image="x", image_id="", diff_ids=(), created="", command=())


def image(entrypoint: tuple[str, ...] | None, cmd: tuple[str, ...] | None) -> StoredImage:
    config = ImageConfig(platform=Platform("linux", "amd64"), entrypoint=entrypoint, cmd=cmd)
    return StoredImage(DIGEST, (), config, (), DIGEST)


@pytest.mark.parametrize(
    ("entrypoint", "arguments", "expected"),
    [
        (None, (), (("start",), ("serve",))),
        (None, ("ls", "-l"), (("start",), ("ls", "-l"))),
        (("sh",), (), (("sh",), ())),
        (("sh",), ("-c", "x"), (("sh",), ("-c", "x"))),
        ((), ("ls",), ((), ("ls",))),
    ],
)
def test_the_command_is_chosen_by_dockers_rule(
    entrypoint: tuple[str, ...] | None, arguments: tuple[str, ...], expected: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    request = ContainerRequest(SPEC, arguments, entrypoint)
    assert choose_command(request, image(("start",), ("serve",))) == expected


@pytest.mark.parametrize("entrypoint", [None, ()])
def test_a_container_needs_a_command(entrypoint: tuple[str, ...] | None) -> None:
    with pytest.raises(UsageError, match="No command specified"):
        choose_command(ContainerRequest(SPEC, (), entrypoint), image(None, None))


def test_variables_of_the_command_line_win_over_the_images() -> None:
    merged = merge_environment(("A=1", "B=2", "A=3"), ("A=0", "PATH=/bin"))
    assert merged == ("A=3", "B=2", "PATH=/bin")


@given(st.integers(min_value=0, max_value=3))
def test_invented_names_are_names(attempt: int) -> None:
    assert check_name(invent_name(attempt))


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("debian", "debian:13"),
        ("debian:13", "debian:13"),
        ("debian:12", "debian:12"),
        ("debian:bookworm-slim", "debian:bookworm"),
        ("docker.io/library/debian:trixie", "debian:trixie"),
        ("debian:10", None),
        ("debian:sid", None),
        ("ubuntu:24.04", None),
        ("me/debian:13", None),
        ("quay.io/debian:13", None),
        (f"debian@{DIGEST}", None),
    ],
)
def test_debian_releases_are_known_by_their_names(name: str, release: str | None) -> None:
    assert debian_release(name) == release


def test_a_name_is_shown_as_docker_shows_it() -> None:
    assert familiar_name("docker.io/library/x") == "x:latest"
    assert familiar_name("quay.io/a/b:1") == "quay.io/a/b:1"


@pytest.mark.parametrize(
    ("text", "number"), [("TERM", 15), ("SIGTERM", 15), ("sigkill", 9), ("9", 9), ("RTMIN+3", 37), ("RTMAX-1", 63)]
)
def test_signals_have_names_and_numbers(text: str, number: int) -> None:
    assert parse_signal(text) == number
    assert parse_signal(signal_name(number)) == number


@pytest.mark.parametrize("text", ["foo", "0", "65", "", "-1", "SIG", "_DFL", "TERM ", "nals", "RTMIN+x"])
def test_what_is_no_signal_is_refused_in_dockers_words(text: str) -> None:
    with pytest.raises(LabboxError) as caught:
        parse_signal(text)
    assert caught.value.message == f"Invalid signal: {text}"
