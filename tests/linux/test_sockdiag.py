"""Whose socket is at the other end: asked of the kernel."""

import os
import socket

import pytest

from harness.networks import STRANGER, become, run_on_test_host, users
from labbox.linux.idmap import run_forked
from labbox.linux.sockdiag import SocketOwners

pytestmark = pytest.mark.timeout(60)
ADDRESSES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


@pytest.mark.parametrize(("family", "address"), ADDRESSES)
def test_ones_own_sockets_are_ones_own(family: int, address: str) -> None:
    owners = SocketOwners()
    with socket.socket(family) as listener, socket.socket(family) as client:
        listener.bind((address, 0))
        listener.listen()
        client.connect(listener.getsockname())
        accepted, client_address = listener.accept()
        with accepted:
            assert owners.find_tcp_owner(client_address, accepted.getsockname()) == os.geteuid()
            assert owners.find_tcp_owner(("192.0.2.1", 1), ("192.0.2.2", 2)) is None
    owners.close()


@pytest.mark.parametrize(("family", "address"), ADDRESSES)
def test_ones_own_datagrams_are_ones_own(family: int, address: str) -> None:
    owners = SocketOwners()
    with socket.socket(family, socket.SOCK_DGRAM) as server, socket.socket(family, socket.SOCK_DGRAM) as client:
        server.bind((address, 0))
        client.sendto(b"x", server.getsockname())
        _, sender = server.recvfrom(10)
        assert owners.find_udp_owner(sender, server.getsockname()) == os.geteuid()
    owners.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users in one test")
@pytest.mark.parametrize(("family", "address"), ADDRESSES)
def test_the_owner_of_another_users_connection_is_known_to_ordinary_users(family: int, address: str) -> None:
    with socket.socket(family) as listener, socket.socket(family) as client:
        listener.bind((address, 0))
        listener.listen()
        place = listener.getsockname()
        client.connect(place)
        accepted, client_address = listener.accept()
        found = run_forked(
            lambda: become(STRANGER), lambda: SocketOwners().find_tcp_owner(client_address, accepted.getsockname())
        )
        accepted.close()
    assert found == 0


@pytest.mark.parametrize("uid", users())
def test_a_connection_of_root_that_is_closed_already_has_no_known_owner(uid: int) -> None:
    def body() -> int | None:
        owners = SocketOwners()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.socket()
            client.connect(listener.getsockname())
            accepted, address = listener.accept()
            with accepted:
                client.close()
                return owners.find_tcp_owner(address, accepted.getsockname())

    assert run_on_test_host(uid, body) in (None, *([uid] if uid else []))
