"""The network of real containers in every mode: out, in, names, and none."""

import os
import socket
from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

import pytest

from harness.laboratory import HOST_PROGRAMS, TINY, Lab
from harness.networks import OTHER_STRANGER, background, become, connect, echo, exchange
from harness.waiting import wait_until
from labbox.linux.idmap import run_forked

pytestmark = pytest.mark.timeout(120)

IPV4 = socket.AF_INET
PYTHON = ("/usr/bin/python3", "-S", "-c")
ECHO_SERVER = """
import socket, sys
listener = socket.socket()
listener.bind((sys.argv[1], 8888))
listener.listen()
print("listening", flush=True)
while True:
    connection, _ = listener.accept()
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)
"""
TALK = """
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10)
connection.sendall(b"hello")
print(connection.recv(5).decode())
"""
_Result = TypeVar("_Result")


@pytest.fixture(scope="module")
def host_address() -> str:
    """An address of this machine that is not loopback."""
    with closing(socket.socket(IPV4, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])


def as_person(lab: Lab, function: Callable[[], _Result]) -> _Result:
    return run_forked(lambda: become(lab.person.uid), function)


def serve_echo(listener: socket.socket) -> Callable[[], None]:
    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                echo(connection)

    return serve


def published_port(lab: Lab, name: str) -> tuple[str, int]:
    address, _, port = lab.output("port", name, "8888/tcp").partition("\n")[0].rpartition(":")
    return address, int(port)


def test_a_container_reaches_a_server_outside(lab: Lab, host_address: str) -> None:
    with socket.create_server((host_address, 0)) as listener, background(serve_echo(listener)):
        port = str(listener.getsockname()[1])
        done = lab.run(*HOST_PROGRAMS, TINY, *PYTHON, TALK, host_address, port)
    assert (done.stdout, done.returncode) == ("hello\n", 0), done.stderr


def test_a_container_does_not_reach_the_loopback_of_the_host(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, background(serve_echo(listener)):
        port = str(listener.getsockname()[1])
        done = lab.run(*HOST_PROGRAMS, TINY, *PYTHON, TALK, "127.0.0.1", port)
    assert done.returncode == 1
    assert "ConnectionRefusedError" in done.stderr


def test_the_loopback_of_the_host_is_reached_by_its_name_when_asked_for(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, background(serve_echo(listener)):
        port = str(listener.getsockname()[1])
        flags = ("--add-host", "host.docker.internal:host-gateway")
        done = lab.run(*flags, *HOST_PROGRAMS, TINY, *PYTHON, TALK, "host.docker.internal", port)
    assert (done.stdout, done.returncode) == ("hello\n", 0), done.stderr


def test_a_container_with_the_network_of_the_host_reaches_its_loopback(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, background(serve_echo(listener)):
        port = str(listener.getsockname()[1])
        done = lab.run("--network", "host", *HOST_PROGRAMS, TINY, *PYTHON, TALK, "127.0.0.1", port)
    assert (done.stdout, done.returncode) == ("hello\n", 0), done.stderr


def test_a_container_without_network_reaches_nothing_at_once(lab: Lab) -> None:
    done = lab.run("--network", "none", *HOST_PROGRAMS, TINY, *PYTHON, TALK, "198.51.100.1", "80")
    assert done.returncode == 1
    assert "Network is unreachable" in done.stderr


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "10.0.2.15"])
def test_a_published_port_answers_to_its_owner(lab: Lab, address: str) -> None:
    lab.start("--name", "server", "-p", "8888", *HOST_PROGRAMS, TINY, *PYTHON, ECHO_SERVER, address)
    lab.wait_for_output("server", "listening")
    place = published_port(lab, "server")
    assert place[0] == "127.0.0.1"
    assert as_person(lab, lambda: exchange(IPV4, place, b"hello")) == b"hello"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users in one test")
def test_a_published_port_does_not_answer_to_another_user(lab: Lab) -> None:
    lab.start("--name", "server", "-p", "8888", *HOST_PROGRAMS, TINY, *PYTHON, ECHO_SERVER, "127.0.0.1")
    lab.wait_for_output("server", "listening")
    place = published_port(lab, "server")

    def knock() -> bytes:
        with connect(IPV4, place) as connection:
            return connection.recv(1)

    with pytest.raises(ConnectionResetError):
        run_forked(lambda: become(OTHER_STRANGER), knock)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users in one test")
def test_a_port_published_to_everyone_answers_to_everyone(lab: Lab) -> None:
    lab.start("--name", "server", "-p", "0.0.0.0::8888", *HOST_PROGRAMS, TINY, *PYTHON, ECHO_SERVER, "127.0.0.1")
    lab.wait_for_output("server", "listening")
    place = ("127.0.0.1", published_port(lab, "server")[1])
    assert run_forked(lambda: become(OTHER_STRANGER), lambda: exchange(IPV4, place, b"hello")) == b"hello"


def test_a_taken_port_is_an_error_that_names_it(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = lab.run("-p", f"{port}:8888", TINY, "true")
    assert done.returncode == 125
    assert f"Bind for 127.0.0.1:{port} failed: port is already allocated" in done.stderr


def test_a_port_is_free_again_when_its_container_has_stopped(lab: Lab) -> None:
    lab.start("--name", "server", "-p", "8888", TINY, "sleep", "1000")
    port = published_port(lab, "server")[1]
    lab.output("stop", "-t", "0", "server")

    def bind() -> bool:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            return probe.connect_ex(("127.0.0.1", port)) != 0

    assert wait_until(bind)
    assert lab.run("-p", f"{port}:8888", TINY, "true").returncode == 0


def test_names_are_asked_of_the_relay_unless_other_servers_are_given(lab: Lab) -> None:
    assert lab.shell("cat /etc/resolv.conf").splitlines()[0] == "nameserver 10.0.2.3"
    text = lab.shell("cat /etc/resolv.conf", "--dns", "192.0.2.53", "--dns-search", "lab.example")
    assert text.splitlines()[:2] == ["nameserver 192.0.2.53", "search lab.example"]


def test_servers_given_with_dns_are_the_ones_that_are_asked(lab: Lab, host_address: str) -> None:
    ask = "import socket; s = socket.socket(2, 2); s.settimeout(10); s.connect(('192.0.2.53', 53)); "
    ask += "s.send(b'Q1..........'); print(s.recv(100).decode())"
    with socket.socket(IPV4, socket.SOCK_DGRAM) as server:
        try:
            server.bind((host_address, 53))
        except OSError as error:
            pytest.skip(f"port 53 of this machine cannot be had: {error.strerror}")

        def serve() -> None:
            message, client = server.recvfrom(1000)
            server.sendto(message[:2] + b"answer to " + message, client)

        with background(serve):
            done = lab.run("--dns", host_address, *HOST_PROGRAMS, TINY, *PYTHON, ask)
    assert (done.stdout, done.returncode) == ("Q1answer to Q1..........\n", 0), done.stderr
