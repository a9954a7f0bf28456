import pytest

from labbox.actions.changes import apply_changes
from labbox.errors import UsageError
from labbox.oci.config import ImageConfig
from labbox.oci.platform import Platform

BARE = ImageConfig(platform=Platform("linux", "amd64"), working_dir="/srv")


@pytest.mark.parametrize(
    ("change", "member", "value"),
    [
        ('CMD ["a", "b c"]', "cmd", ("a", "b c")),
        ("cmd echo hi", "cmd", ("/bin/sh", "-c", "echo hi")),
        ('ENTRYPOINT ["x"]', "entrypoint", ("x",)),
        ("ENV A=1 B='two words'", "environment", ("A=1", "B=two words")),
        ("ENV A one two", "environment", ("A=one two",)),
        ("EXPOSE 80 53/udp", "exposed_ports", ("53/udp", "80/tcp")),
        ('LABEL a=1 "b c"=2', "labels", {"a": "1", "b c": "2"}),
        ("USER dev:dev", "user", "dev:dev"),
        ('VOLUME ["/a", "/b"]', "volumes", ("/a", "/b")),
        ("VOLUME /a /b", "volumes", ("/a", "/b")),
        ("WORKDIR /x", "working_dir", "/x"),
        ("WORKDIR x", "working_dir", "/srv/x"),
        ("STOPSIGNAL SIGINT", "stop_signal", "SIGINT"),
        ("ONBUILD RUN true", "on_build", ("RUN true",)),
    ],
)
def test_an_instruction_changes_its_part_of_the_configuration(change: str, member: str, value: object) -> None:
    assert getattr(apply_changes(BARE, [change]), member) == value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("FOO x", "foo is not a valid change command"),
        ("CMD", "CMD requires at least one argument"),
        ("ENV A", "ENV must have two arguments"),
        ("ENV A=1 B", 'Syntax error - can\'t find = in "B". Must be of the form: name=value'),
        ("EXPOSE x", "invalid containerPort: x/tcp"),
    ],
)
def test_a_bad_instruction_is_refused_in_dockers_words(change: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        apply_changes(BARE, [change])
    assert caught.value.message == message
    assert caught.value.exit_code == 1
