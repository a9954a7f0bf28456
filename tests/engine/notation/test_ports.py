import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbox.engine.notation.ports import parse_exposed, parse_published
from labbox.engine.specification import PortBinding
from labbox.errors import UsageError


@pytest.mark.parametrize(
    ("text", "bindings"),
    [
        ("80", [PortBinding(80)]),
        ("80/udp", [PortBinding(80, "udp")]),
        ("80/TCP", [PortBinding(80)]),
        ("0:80", [PortBinding(80)]),
        ("8080:80", [PortBinding(80, host_port=8080)]),
        (":80", [PortBinding(80)]),
        ("127.0.0.1::80", [PortBinding(80)]),
        ("127.0.0.1:8080:80/udp", [PortBinding(80, "udp", host_port=8080)]),
        ("0.0.0.0:8080:80", [PortBinding(80, "tcp", "0.0.0.0", 8080, shared=True)]),
        ("192.0.2.4:8080:80", [PortBinding(80, "tcp", "192.0.2.4", 8080, shared=True)]),
        ("[::1]:8080:80", [PortBinding(80, "tcp", "::1", 8080)]),
        ("[::]:8080:80", [PortBinding(80, "tcp", "::", 8080, shared=True)]),
        ("::1:8080:80", [PortBinding(80, "tcp", "::1", 8080)]),
        ("90-91:80-81", [PortBinding(80, host_port=90), PortBinding(81, host_port=91)]),
        ("80-81", [PortBinding(80), PortBinding(81)]),
    ],
)
def test_a_port_is_published_as_docker_reads_it_on_loopback_by_default(text: str, bindings: list[PortBinding]) -> None:
    assert parse_published(text) == bindings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("abc", "invalid containerPort: abc"),
        ("99999:80", "invalid hostPort: 99999"),
        ("80:99999", "invalid containerPort: 99999"),
        ("1-3:1-2", "invalid ranges specified for container and host Ports: 1-2 and 1-3"),
        ("80/foo", "invalid proto: foo"),
        ("x:80:80", "invalid IP address: x"),
        ("1.2.3:80:80", "invalid IP address: 1.2.3"),
        ("", "no port specified: <empty>"),
        ("80:", "no port specified: 80:<empty>"),
        (":80:", "no port specified: :80:<empty>"),
        ("5-3", "invalid containerPort: 5-3"),
        ("0", "invalid containerPort: 0"),
        ("[::1:80:80", "invalid IP address: [::1"),
        ("²", "invalid containerPort: ²"),
    ],
)
def test_a_bad_port_is_refused_in_dockers_words(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_published(text)
    assert caught.value.message == message
    assert caught.value.exit_code == 125


def test_without_an_address_the_default_one_is_taken() -> None:
    (binding,) = parse_published("8080:80", default_address="0.0.0.0")
    assert binding == PortBinding(80, "tcp", "0.0.0.0", 8080, shared=True)
    (binding,) = parse_published("127.0.0.1:8080:80", default_address="0.0.0.0")
    assert not binding.shared


def test_exposed_ports_are_read() -> None:
    assert parse_exposed("80-82/udp") == ["80/udp", "81/udp", "82/udp"]
    with pytest.raises(UsageError, match="invalid range format for --expose: x"):
        parse_exposed("x")
    with pytest.raises(UsageError, match="invalid port format for --expose: 80:80"):
        parse_exposed("80:80")


@given(st.text("0123456789:-./[]tcpudp", max_size=20))
def test_any_text_is_a_port_or_refused(text: str) -> None:
    try:
        bindings = parse_published(text)
    except UsageError:
        return
    assert all(0 < binding.container_port < 65536 and 0 <= binding.host_port < 65536 for binding in bindings)
