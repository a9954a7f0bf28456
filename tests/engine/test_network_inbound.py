"""Published ports: accepted on the host, passed on into the container, and answering to their owner only."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from harness.networks import (
    OTHER_STRANGER,
    STRANGER,
    ask,
    background,
    become,
    connect,
    container_network,
    echo,
    exchange,
    run_on_test_host,
    users,
)
from labbox.engine.embedded.loop import Loop
from labbox.engine.embedded.network import CONTAINER_ADDRESS
from labbox.engine.embedded.relay_inbound import InboundRelay, PublishedSocket
from labbox.linux.idmap import run_forked
from labbox.linux.sockdiag import SocketOwners

pytestmark = pytest.mark.timeout(60)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users in one test")

IPV4, IPV6 = socket.AF_INET, socket.AF_INET6
PORT = 8888


@contextmanager
def published(
    serve: Callable[[], None], *, kind: int = socket.SOCK_STREAM, guarded: bool = True, owner: int | None = None
) -> Iterator[tuple[str, int]]:
    """The host's address of port 8888 of a container that runs `serve`, published by user `owner`."""
    with socket.socket(IPV4, kind) as listener:
        listener.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            listener.listen()

        def relay() -> None:
            become(os.geteuid() if owner is None else owner)
            owners = SocketOwners()
            allowed = frozenset({0, os.geteuid()})
            with container_network() as container, _server_inside(container.join, serve):
                container.join()
                loop = Loop()
                InboundRelay(loop, [PublishedSocket(listener, PORT, guarded)], owners, allowed)
                loop.run()

        with background(relay):
            yield listener.getsockname()


@contextmanager
def _server_inside(join: Callable[[], None], serve: Callable[[], None]) -> Iterator[None]:
    reader, writer = os.pipe()

    def run() -> None:
        join()
        os.dup2(writer, 100)
        serve()

    with background(run):
        os.close(writer)
        os.read(reader, 1)
        yield


def tcp_echo_at(family: int, address: str) -> Callable[[], None]:
    def serve() -> None:
        with socket.socket(family) as listener:
            listener.bind((address, PORT))
            listener.listen()
            os.write(100, b"!")
            while True:
                connection, _ = listener.accept()
                with connection:
                    echo(connection)

    return serve


def udp_echo_at(family: int, address: str) -> Callable[[], None]:
    def serve() -> None:
        with socket.socket(family, socket.SOCK_DGRAM) as bound:
            bound.bind((address, PORT))
            os.write(100, b"!")
            while True:
                message, client = bound.recvfrom(65535)
                bound.sendto(message, client)

    return serve


@pytest.mark.parametrize("uid", users())
@pytest.mark.parametrize(
    ("family", "address"), [(IPV4, "127.0.0.1"), (IPV4, "0.0.0.0"), (IPV6, "::1"), (IPV4, CONTAINER_ADDRESS)]
)
def test_a_server_is_reached_wherever_it_listens_inside(uid: int, family: int, address: str) -> None:
    def body() -> bytes:
        with published(tcp_echo_at(family, address), guarded=False) as place:
            return exchange(IPV4, place, b"hello")

    assert run_on_test_host(uid, body) == b"hello"


@pytest.mark.parametrize("uid", users())
@pytest.mark.parametrize(("family", "address"), [(IPV4, "127.0.0.1"), (IPV6, "::1"), (IPV4, CONTAINER_ADDRESS)])
def test_datagrams_go_in_and_answers_come_out(uid: int, family: int, address: str) -> None:
    def body() -> list[bytes]:
        with published(udp_echo_at(family, address), kind=socket.SOCK_DGRAM, guarded=False) as place:
            return [ask(IPV4, place, message) for message in (b"one", b"two", b"")]

    assert run_on_test_host(uid, body) == [b"one", b"two", b""]


@pytest.mark.parametrize("uid", users())
def test_a_port_where_nobody_listens_inside_resets_the_client(uid: int) -> None:
    def serve_nothing() -> None:
        os.write(100, b"!")
        os.read(os.pipe()[0], 1)

    def body() -> bytes:
        with published(serve_nothing) as place, connect(IPV4, place) as connection:
            return connection.recv(1)

    with pytest.raises(ConnectionResetError):
        run_on_test_host(uid, body)


@pytest.mark.parametrize("uid", users())
def test_the_owner_gets_in(uid: int) -> None:
    def body() -> bytes:
        with published(tcp_echo_at(IPV4, "127.0.0.1")) as place:
            return exchange(IPV4, place, b"mine")

    assert run_on_test_host(uid, body) == b"mine"


@needs_root
@pytest.mark.parametrize("client", [STRANGER, 0])
def test_owner_and_root_get_in_to_what_an_ordinary_user_published(client: int) -> None:
    def body() -> bytes:
        with published(tcp_echo_at(IPV4, "127.0.0.1"), owner=STRANGER) as place:
            return run_forked(lambda: become(client), lambda: exchange(IPV4, place, b"mine"))

    assert run_on_test_host(0, body) == b"mine"


@needs_root
@pytest.mark.parametrize("owner", [0, STRANGER])
def test_another_user_is_refused(owner: int) -> None:
    def body() -> bytes:
        with published(tcp_echo_at(IPV4, "127.0.0.1"), owner=owner) as place:
            return run_forked(lambda: become(OTHER_STRANGER), lambda: exchange(IPV4, place, b"not mine"))

    with pytest.raises(OSError, match=r"reset|pipe|not connected"):
        run_on_test_host(0, body)


@needs_root
def test_another_user_who_closes_at_once_delivers_nothing() -> None:
    def knock(place: tuple[str, int]) -> None:
        with suppress(ConnectionError), connect(IPV4, place) as connection:
            connection.send(b"not mine")

    def serve_one() -> None:
        with socket.socket(IPV4) as listener:
            listener.bind(("127.0.0.1", PORT))
            listener.listen()
            os.write(100, b"!")
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"got " + connection.recv(100))
            os.read(os.pipe()[0], 1)

    def body() -> bytes:
        with published(serve_one, owner=STRANGER) as place:
            for _ in range(20):
                run_forked(lambda: become(OTHER_STRANGER), lambda: knock(place))
            return exchange(IPV4, place, b"mine")

    assert run_on_test_host(0, body) == b"got mine"


@needs_root
def test_datagrams_of_another_user_are_dropped() -> None:
    def body() -> tuple[bytes, bool]:
        with published(udp_echo_at(IPV4, "127.0.0.1"), kind=socket.SOCK_DGRAM, owner=STRANGER) as place:
            answer = run_forked(lambda: become(STRANGER), lambda: ask(IPV4, place, b"mine"))
            return answer, run_forked(lambda: become(OTHER_STRANGER), lambda: _hears_nothing(place))

    assert run_on_test_host(0, body) == (b"mine", True)


@needs_root
def test_a_shared_port_answers_to_everyone() -> None:
    def body() -> bytes:
        with published(tcp_echo_at(IPV4, "127.0.0.1"), owner=STRANGER, guarded=False) as place:
            return run_forked(lambda: become(OTHER_STRANGER), lambda: exchange(IPV4, place, b"hello"))

    assert run_on_test_host(0, body) == b"hello"


def _hears_nothing(place: tuple[str, int]) -> bool:
    try:
        ask(IPV4, place, b"not mine", timeout_seconds=0.5)
    except TimeoutError:
        return True
    return False
