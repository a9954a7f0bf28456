from typing import Any

import pytest

from labbox.errors import UsageError
from labbox.oci.config import Healthcheck, ImageConfig
from labbox.oci.config_changes import apply_changes
from labbox.oci.platform import Platform

BARE = ImageConfig(Platform("linux", "amd64"), environment=("PATH=/bin",), working_dir="/w", cmd=("old",))


def changed(*changes: Any) -> Any:
    return apply_changes(BARE, changes)


@pytest.mark.parametrize(
    ("line", "field", "expected"),
    [
        ('CMD ["a", "b c"]', "cmd", ("a", "b c")),
        ("CMD echo $HOME", "cmd", ("/bin/sh", "-c", "echo $HOME")),
        ("CMD [not json", "cmd", ("/bin/sh", "-c", "[not json")),
        ('entrypoint ["x"]', "entrypoint", ("x",)),
        ("ENV A=1 B='two words' C=\"$PATH:/x\"", "environment", ("PATH=/bin", "A=1", "B=two words", "C=/bin:/x")),
        ("ENV A one two", "environment", ("PATH=/bin", "A=one two")),
        ("ENV PATH=/opt/bin:$PATH", "environment", ("PATH=/opt/bin:/bin",)),
        ("ENV A=${X:-default} B=${PATH:+set}", "environment", ("PATH=/bin", "A=default", "B=set")),
        (r"ENV A=\$PATH", "environment", ("PATH=/bin", "A=$PATH")),
        ("EXPOSE 80 53/udp 8000-8002", "exposed_ports", ("53/udp", "80/tcp", "8000/tcp", "8001/tcp", "8002/tcp")),
        ('LABEL a=1 "b c"=d', "labels", {"a": "1", "b c": "d"}),
        ("USER app:app", "user", "app:app"),
        ("VOLUME /a /b", "volumes", ("/a", "/b")),
        ('VOLUME ["/a b"]', "volumes", ("/a b",)),
        ("WORKDIR sub/dir", "working_dir", "/w/sub/dir"),
        ("WORKDIR /abs", "working_dir", "/abs"),
        ("STOPSIGNAL SIGRTMIN+3", "stop_signal", "SIGRTMIN+3"),
        ("STOPSIGNAL 9", "stop_signal", "9"),
        ("ONBUILD RUN make", "on_build", ("RUN make",)),
        ("HEALTHCHECK NONE", "healthcheck", Healthcheck(("NONE",))),
        (
            "HEALTHCHECK --interval=1m30s --timeout=1.5s --retries=4 CMD curl localhost",
            "healthcheck",
            Healthcheck(("CMD-SHELL", "curl localhost"), interval_ns=90 * 10**9, timeout_ns=1_500_000_000, retries=4),
        ),
        ('HEALTHCHECK CMD ["a"]', "healthcheck", Healthcheck(("CMD", "a"))),
    ],
)
def test_a_dockerfile_line_changes_one_thing(line: str, field: Any, expected: Any) -> None:
    assert getattr(changed(line), field) == expected


def test_a_new_entrypoint_drops_the_command_it_does_not_know() -> None:
    assert changed('ENTRYPOINT ["x"]').cmd is None
    assert changed('CMD ["y"]', 'ENTRYPOINT ["x"]').cmd == ("y",)


def test_lines_build_on_each_other() -> None:
    assert changed("ENV A=1", "ENV B=$A$A", "WORKDIR /x", "WORKDIR $B").working_dir == "/x/11"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("RUN true", "`RUN` is not a valid change command"),
        ("", "is not a valid change command"),
        ("ENV", "requires at least one argument"),
        ("ENV A", "must have two arguments"),
        ("ENV A=1 B", "can't find `=` in `B`"),
        ("ENV =1", "names can not be blank"),
        ('ENV A="open', "a double quote is not closed"),
        ("ENV A='open", "a single quote is not closed"),
        ("ENV A=${B", "a brace is not closed"),
        ("ENV A=${B?x}", "B: x"),
        ("EXPOSE x", "invalid containerPort: x"),
        ("EXPOSE 70000", "invalid containerPort"),
        ("EXPOSE 80/icmp", "invalid containerPort"),
        ("EXPOSE 9-8", "invalid containerPort"),
        ("STOPSIGNAL a b", "invalid signal"),
        ("ONBUILD FROM x", "isn't allowed as an ONBUILD trigger"),
        ("HEALTHCHECK true", "unknown type"),
        ("HEALTHCHECK --interval=x CMD a", "invalid duration"),
        ("HEALTHCHECK --color=x CMD a", "unknown flag"),
        ('VOLUME [""]', "can not be an empty string"),
    ],
)
def test_a_line_that_cannot_be_understood_says_why(line: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        changed(line)
    assert message in caught.value.message
