"""Addresses, routes and redirects by netlink, in network namespaces of our own."""

import errno
import socket

import pytest

from harness.networks import run_on_test_host, users
from labbox.engine.embedded.network import configure_container_network, host_has_ipv6_route
from labbox.linux import netlink, nftables
from labbox.linux.idmap import enter_user_namespace, single_identity

pytestmark = [pytest.mark.timeout(60), pytest.mark.parametrize("uid", users())]


def test_an_address_can_be_bound_once_it_is_added(uid: int) -> None:
    def body() -> list[bool]:
        found = []
        for family, address in ((socket.AF_INET, "192.0.2.7"), (socket.AF_INET6, "2001:db8::7")):
            with netlink.NetlinkSocket(socket.NETLINK_ROUTE) as route:
                route.apply([netlink.add_address(netlink.LOOPBACK_INDEX, address)])
            with socket.socket(family) as bound:
                bound.bind((address, 0))
                found.append(bound.getsockname()[0] == address)
        return found

    assert run_on_test_host(uid, body) == [True, True]


def test_a_refusal_says_what_was_refused(uid: int) -> None:
    def body() -> None:
        with netlink.NetlinkSocket(socket.NETLINK_ROUTE) as route:
            route.apply([netlink.link_up(netlink.LOOPBACK_INDEX), netlink.add_address(99, "192.0.2.7")])

    with pytest.raises(OSError, match=r"netlink address add 192\.0\.2\.7") as caught:
        run_on_test_host(uid, body)
    assert caught.value.errno == errno.ENODEV


def test_a_default_route_gives_the_source_address(uid: int) -> None:
    def body() -> list[str]:
        configure_container_network(1, 1, ipv6=True)
        sources = []
        for family, address in ((socket.AF_INET, "203.0.113.1"), (socket.AF_INET6, "2001:db8:1::1")):
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((address, 9))
                sources.append(probe.getsockname()[0])
        return sources

    assert run_on_test_host(uid, body) == ["10.0.2.15", "fd6c:6162:626f:7800::15"]


def test_a_namespace_without_a_route_outside_has_no_ipv6(uid: int) -> None:
    assert run_on_test_host(uid, host_has_ipv6_route) is False


def test_a_batch_is_applied_whole_or_not_at_all(uid: int) -> None:
    def body() -> int:
        batch = nftables.redirect_outgoing(["10.0.2.15"], tcp_port=1, dns_port=1)
        broken = batch[-2]._replace(body=batch[-2].body[:8])
        with (
            netlink.NetlinkSocket(nftables.NETLINK_NETFILTER) as firewall,
            pytest.raises(OSError, match="nftables"),
        ):
            firewall.apply([*batch[:-2], broken, batch[-1]])
        with socket.socket() as probe:
            return probe.connect_ex(("198.51.100.1", 9))

    assert run_on_test_host(uid, body) == errno.ECONNREFUSED


def test_without_power_over_the_network_it_stays_as_it_is(uid: int) -> None:
    def body() -> None:
        enter_user_namespace(single_identity())  # and so lose the power over the network entered before
        configure_container_network(1, 1, ipv6=False)

    with pytest.raises(OSError, match="netlink link 1 up: Operation not permitted"):
        run_on_test_host(uid, body)
