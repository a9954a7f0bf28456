"""Outgoing connections of a container: redirected inside, dialled again on the host."""

import errno
import os
import resource
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.networks import (
    HOST_ADDRESS,
    HOST_ADDRESS_IPV6,
    ContainerNetwork,
    ask,
    connect,
    container_network,
    echo,
    exchange,
    loop_in_background,
    run_on_test_host,
    tcp_server,
    udp_server,
    users,
)
from labbox.engine.embedded.connections import Target
from labbox.engine.embedded.dns import Resolvers
from labbox.engine.embedded.loop import Loop
from labbox.engine.embedded.network import CONTAINER_ADDRESS, NAMESERVER_ADDRESS, RELAY_TCP_PORT
from labbox.engine.embedded.relay_outbound import OutboundRelay, is_host_only

pytestmark = [pytest.mark.timeout(60), pytest.mark.parametrize("uid", users())]

IPV4, IPV6 = socket.AF_INET, socket.AF_INET6


@contextmanager
def relayed_container(
    *, ipv6: bool = True, reach_host: bool = False, resolvers: Resolvers | None = None
) -> Iterator[ContainerNetwork]:
    with (
        container_network(ipv6=ipv6) as container,
        loop_in_background(
            lambda loop: setattr(
                loop, "_relay", OutboundRelay(loop, container.relay, resolvers=resolvers, reach_host=reach_host)
            )
        ),
    ):
        yield container


def test_a_connection_reaches_a_server_outside(uid: int) -> None:
    def body() -> bytes:
        with tcp_server(IPV4, (HOST_ADDRESS, 0), echo) as server, relayed_container() as container:
            return container.run(lambda: exchange(IPV4, server, b"hello"))

    assert run_on_test_host(uid, body) == b"hello"


def test_a_connection_over_ipv6_reaches_a_server_outside(uid: int) -> None:
    def body() -> bytes:
        with tcp_server(IPV6, (HOST_ADDRESS_IPV6, 0), echo) as server, relayed_container() as container:
            return container.run(lambda: exchange(IPV6, server, b"hello"))

    assert run_on_test_host(uid, body) == b"hello"


def test_eight_megabytes_arrive_whole_and_half_closing_is_passed_on(uid: int) -> None:
    payload = os.urandom(1 << 20) * 8

    def send_everything_then_read(server: tuple[str, int]) -> bool:
        with connect(IPV4, server) as connection:
            connection.sendall(payload)
            connection.shutdown(socket.SHUT_WR)
            received = b"".join(iter(lambda: connection.recv(1 << 20), b""))
        return received == payload

    def collect_then_answer(connection: socket.socket) -> None:
        connection.sendall(b"".join(iter(lambda: connection.recv(1 << 20), b"")))

    def body() -> bool:
        with tcp_server(IPV4, (HOST_ADDRESS, 0), collect_then_answer) as server, relayed_container() as container:
            return container.run(lambda: send_everything_then_read(server))

    assert run_on_test_host(uid, body)


def test_a_slow_reader_slows_its_writer_down(uid: int) -> None:
    def fill(server: tuple[str, int]) -> int:
        with connect(IPV4, server, timeout_seconds=1) as connection:
            sent = 0
            try:
                while sent < 1 << 28:
                    sent += connection.send(bytes(1 << 20))
            except TimeoutError:
                return sent
        return sent

    def body() -> int:
        with (
            tcp_server(IPV4, (HOST_ADDRESS, 0), lambda _connection: signal.pause()) as server,
            relayed_container() as container,
        ):
            return container.run(lambda: fill(server))

    assert 0 < run_on_test_host(uid, body) < 64 << 20


def test_a_refused_connection_is_reset(uid: int) -> None:
    def read_from_closed_port() -> bytes:
        with connect(IPV4, (HOST_ADDRESS, 9)) as connection:
            return connection.recv(1)

    def body() -> bytes:
        with relayed_container() as container:
            return container.run(read_from_closed_port)

    with pytest.raises(ConnectionResetError):
        run_on_test_host(uid, body)


def test_when_the_target_breaks_off_so_does_the_container_side(uid: int) -> None:
    def break_off(connection: socket.socket) -> None:
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def body() -> bytes:
        with tcp_server(IPV4, (HOST_ADDRESS, 0), break_off) as server, relayed_container() as container:
            return container.run(lambda: exchange(IPV4, server, b"x"))

    with pytest.raises(ConnectionResetError):
        run_on_test_host(uid, body)


def test_five_hundred_connections_at_once(uid: int) -> None:
    def open_many(server: tuple[str, int]) -> int:
        connections = [connect(IPV4, server) for _ in range(500)]
        for number, connection in enumerate(connections):
            connection.sendall(b"%03d" % number)
        answers = [connection.recv(3) for connection in reversed(connections)]
        return sum(answer == b"%03d" % (499 - index) for index, answer in enumerate(answers))

    def body() -> int:
        with (
            tcp_server(IPV4, (HOST_ADDRESS, 0), _serve_in_forked_child) as server,
            relayed_container() as container,
        ):
            return container.run(lambda: open_many(server))

    assert run_on_test_host(uid, body) == 500


def test_more_connections_than_descriptors_wait_for_their_turn(uid: int) -> None:
    def open_all_then_finish_each(server: tuple[str, int]) -> int:
        connections = [connect(IPV4, server) for _ in range(60)]
        for connection in connections:
            connection.sendall(b"hello")
            connection.shutdown(socket.SHUT_WR)
        answers = [connection.recv(5) for connection in connections]
        return answers.count(b"hello")

    def serve_with_few_descriptors(loop: Loop, container: ContainerNetwork) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))
        setattr(loop, "_relay", OutboundRelay(loop, container.relay))  # noqa: B010  (keeps the relay alive)

    def body() -> int:
        with (
            tcp_server(IPV4, (HOST_ADDRESS, 0), _serve_in_forked_child) as server,
            container_network() as container,
            loop_in_background(lambda loop: serve_with_few_descriptors(loop, container)),
        ):
            return container.run(lambda: open_all_then_finish_each(server))

    assert run_on_test_host(uid, body) == 60


def test_the_loopback_of_the_host_is_out_of_reach(uid: int) -> None:
    def refusals(port: int) -> list[int]:
        found = []
        for family, address in [
            (IPV4, ("127.0.0.1", port)),
            (IPV4, ("127.1.2.3", port)),
            (IPV4, ("0.0.0.0", port)),
            (IPV4, (CONTAINER_ADDRESS, port)),
            (IPV6, ("::1", port)),
            (IPV6, ("::ffff:127.0.0.1", port)),
        ]:
            try:
                exchange(family, address, b"x")
            except OSError as error:
                found.append(error.errno or 0)
        return found

    def body() -> list[int]:
        with tcp_server(IPV4, ("127.0.0.1", 0), echo) as server, relayed_container() as container:
            return container.run(lambda: refusals(server[1]))

    assert set(run_on_test_host(uid, body)) == {errno.ECONNREFUSED}


def test_the_relay_itself_is_no_way_to_the_loopback_of_the_host(uid: int) -> None:
    def body() -> bytes:
        with tcp_server(IPV4, ("127.0.0.1", RELAY_TCP_PORT), echo), relayed_container() as container:
            return container.run(lambda: exchange(IPV4, ("127.0.0.1", RELAY_TCP_PORT), b"x"))

    with pytest.raises(ConnectionResetError):
        run_on_test_host(uid, body)


def test_the_host_is_reached_at_its_own_address_only_when_asked_for(uid: int) -> None:
    def body(*, reach_host: bool) -> bytes:
        with (
            tcp_server(IPV4, ("127.0.0.1", 0), echo) as server,
            relayed_container(reach_host=reach_host) as container,
        ):
            return container.run(lambda: exchange(IPV4, ("10.0.2.2", server[1]), b"hello"))

    assert run_on_test_host(uid, lambda: body(reach_host=True)) == b"hello"
    with pytest.raises(OSError, match="reset"):
        run_on_test_host(uid, lambda: body(reach_host=False))


def test_without_ipv6_a_connection_to_an_ipv6_address_fails_at_once(uid: int) -> None:
    def body() -> bytes:
        with relayed_container(ipv6=False) as container:
            return container.run(lambda: exchange(IPV6, (HOST_ADDRESS_IPV6, 80), b""))

    with pytest.raises(OSError, match="unreachable") as caught:
        run_on_test_host(uid, body)
    assert caught.value.errno == errno.ENETUNREACH


def test_a_query_to_any_name_server_is_answered_by_the_resolver_of_the_host(uid: int) -> None:
    def body() -> list[bytes]:
        with (
            udp_server(IPV4, (HOST_ADDRESS, 53), lambda query: query[:2] + b"answer" + query[2:]),
            relayed_container(resolvers=Resolvers([HOST_ADDRESS])) as container,
        ):
            return [
                container.run(lambda: ask(IPV4, (NAMESERVER_ADDRESS, 53), b"Q1..........")),
                container.run(lambda: ask(IPV4, ("192.0.2.53", 53), b"Q2..........")),
                container.run(lambda: ask(IPV6, ("2001:db8::53", 53), b"Q3..........")),
            ]

    answers = [b"Q1answer..........", b"Q2answer..........", b"Q3answer.........."]
    assert run_on_test_host(uid, body) == answers


def test_a_query_over_tcp_reaches_the_resolver_of_the_host(uid: int) -> None:
    def body() -> bytes:
        with (
            tcp_server(IPV4, (HOST_ADDRESS, 53), echo),
            relayed_container(resolvers=Resolvers(["192.0.2.1", HOST_ADDRESS])) as container,
        ):
            return container.run(lambda: exchange(IPV4, (NAMESERVER_ADDRESS, 53), b"query"))

    assert run_on_test_host(uid, body) == b"query"


def test_a_server_that_refuses_is_passed_over_and_silence_is_answered_for(uid: int) -> None:
    def body() -> tuple[bytes, bytes]:
        with (
            udp_server(IPV4, (HOST_ADDRESS, 53), lambda query: query[:2] + b"good answer"),
            relayed_container(resolvers=Resolvers(["127.0.0.9", HOST_ADDRESS])) as container,
            relayed_container(resolvers=Resolvers(["127.0.0.9"])) as lonely,
        ):
            return (
                container.run(lambda: ask(IPV4, (NAMESERVER_ADDRESS, 53), b"Q1..........")),
                lonely.run(lambda: ask(IPV4, (NAMESERVER_ADDRESS, 53), b"Q1\x01\x20\x00\x01......")),
            )

    answer, failure = run_on_test_host(uid, body)
    assert answer == b"Q1good answer"
    assert failure == b"Q1\x81\x82\x00\x01......"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("127.255.255.255", True),
        ("0.0.0.0", True),
        ("0.1.2.3", True),
        ("128.0.0.1", False),
        ("10.0.2.2", False),
        ("::1", True),
        ("::", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("::127.0.0.1", True),
        ("fe80::1", False),
        ("2001:db8::1", False),
    ],
)
def test_addresses_that_mean_the_host_itself_are_known(uid: int, address: str, expected: bool) -> None:  # noqa: FBT001
    del uid
    family = IPV6 if ":" in address else IPV4
    assert is_host_only(Target(family, (address, 80))) is expected


def _serve_in_forked_child(connection: socket.socket) -> None:
    if os.fork() == 0:
        try:
            echo(connection)
        finally:
            os._exit(0)
