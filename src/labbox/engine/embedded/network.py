"""The network of a container, seen from inside: one address on the loopback device, everything outgoing redirected.

    program ──connect 93.184.215.14:443──▶ nf_tables redirect ──▶ 127.0.0.1:1 ──▶ relay on the host ──▶ the world

The container has no wire to the outside. Sockets opened here belong to this network namespace for ever, so the
monitor, which lives in the host's, serves them after they were handed over (SCM_RIGHTS). Addresses are those of
QEMU's user network, which people know.
"""

import errno
import os

from labbox.errors import UnsupportedError
from labbox.lightweight_modules import socket
from labbox.lightweight_typing import NamedTuple
from labbox.linux import netlink, nftables

CONTAINER_ADDRESS = "10.0.2.15"
CONTAINER_ADDRESS_IPV6 = "fd6c:6162:626f:7800::15"  # a unique local prefix (RFC 4193): IPv4 stays preferred (RFC 6724)
HOST_ADDRESS = "10.0.2.2"
NAMESERVER_ADDRESS = "10.0.2.3"

# Ports inside the container where the relay listens. Every other number could be one that a program there wants;
# port 1 (tcpmux, RFC 1078) is wanted by nobody.
RELAY_TCP_PORT = 1
RELAY_DNS_PORT = 1

_BACKLOG = 4096
_ROUTE_REJECT = 0x0200  # linux/route.h: RTF_REJECT


class RelaySockets(NamedTuple):
    """The descriptors the outbound relay serves: TCP listeners and UDP sockets of one network namespace."""

    tcp: tuple[int, ...]
    dns: tuple[int, ...]


def set_up_network(*, ipv6: bool) -> RelaySockets:
    """Give this new network namespace its address, routes and redirects, and the sockets that serve them.

    For the process that made the namespace, with CAP_NET_ADMIN over it and /proc in sight. Raises UnsupportedError
    when the kernel lacks what redirecting needs.
    """
    bring_loopback_up()
    ipv6 = ipv6 and _has_ipv6()
    sockets = open_relay_sockets(ipv6=ipv6)
    configure_container_network(RELAY_TCP_PORT, RELAY_DNS_PORT, ipv6=ipv6)
    return sockets


def bring_loopback_up() -> None:
    """Bring `lo` up in this network namespace: all that `--network none` has."""
    with netlink.NetlinkSocket(socket.NETLINK_ROUTE) as route:
        route.apply([netlink.link_up(netlink.LOOPBACK_INDEX)])


def configure_container_network(tcp_port: int, dns_port: int, *, ipv6: bool) -> None:
    """Give `lo` the container's address and the default route, and redirect TCP and DNS to the given local ports.

    Without `ipv6` there is no IPv6 route, and a connection to an IPv6 address fails at once with ENETUNREACH.
    """
    addresses = [CONTAINER_ADDRESS, CONTAINER_ADDRESS_IPV6] if ipv6 else [CONTAINER_ADDRESS]
    with netlink.NetlinkSocket(socket.NETLINK_ROUTE) as route:
        changes = [netlink.link_up(netlink.LOOPBACK_INDEX)]
        changes += [netlink.add_address(netlink.LOOPBACK_INDEX, address) for address in addresses]
        changes += [netlink.add_loopback_default_route(address) for address in addresses]
        route.apply(changes)
    try:
        with netlink.NetlinkSocket(nftables.NETLINK_NETFILTER) as firewall:
            firewall.apply(nftables.redirect_outgoing(addresses, tcp_port=tcp_port, dns_port=dns_port))
    except OSError as error:
        raise _cannot_redirect(error) from error


def open_relay_sockets(*, ipv6: bool) -> RelaySockets:
    """Listen on the relay's ports of this network namespace; the descriptors are the caller's to close.

    Bound to the loopback addresses: a UDP answer must leave from the address that the redirect chose, or the
    kernel does not translate it back.
    """
    families = (socket.AF_INET, socket.AF_INET6) if ipv6 else (socket.AF_INET,)
    tcp = tuple(_open_loopback(family, socket.SOCK_STREAM, RELAY_TCP_PORT) for family in families)
    dns = tuple(_open_loopback(family, socket.SOCK_DGRAM, RELAY_DNS_PORT) for family in families)
    return RelaySockets(tcp=tcp, dns=dns)


def host_has_ipv6_route() -> bool:
    """True when this network namespace can send IPv6 to the world (proc_net(5), ipv6_route)."""
    try:
        with open("/proc/net/ipv6_route", encoding="ascii") as file:
            return any(_is_default_route(line.split()) for line in file)
    except FileNotFoundError:
        return False


def hosts_text(hostname: str) -> str:
    """The container's /etc/hosts; without its own name there, sudo and many others stumble."""
    return (
        "127.0.0.1\tlocalhost\n"
        "::1\tlocalhost ip6-localhost ip6-loopback\n"
        "fe00::0\tip6-localnet\n"
        "ff00::0\tip6-mcastprefix\n"
        "ff02::1\tip6-allnodes\n"
        "ff02::2\tip6-allrouters\n"
        f"{CONTAINER_ADDRESS}\t{hostname}\n"
    )


def _has_ipv6() -> bool:
    """True unless the kernel lacks IPv6, or the host's settings switch it off in new network namespaces."""
    try:
        with open("/proc/sys/net/ipv6/conf/lo/disable_ipv6", encoding="ascii") as file:
            return file.read().strip() == "0"
    except FileNotFoundError:
        return False


def _open_loopback(family: int, kind: int, port: int) -> int:
    address = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    opened = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        opened.bind((address, port))
        if kind == socket.SOCK_STREAM:
            opened.listen(_BACKLOG)
        return opened.detach()
    finally:
        opened.close()


def _is_default_route(fields: list[str]) -> bool:
    destination, prefix_length, flags, device = fields[0], fields[1], int(fields[8], 16), fields[9]
    return destination == "0" * 32 and prefix_length == "00" and device != "lo" and not flags & _ROUTE_REJECT


def _cannot_redirect(error: OSError) -> UnsupportedError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    hint = "Use --network host, or load the modules nf_tables and nft_redir as root: modprobe -a nf_tables nft_redir"
    if error.errno == errno.EPERM:
        hint = "Use --network host; something on this machine forbids nf_tables to this user"
    return UnsupportedError(
        f"this kernel cannot redirect a container's connections: {reason} ({error.strerror})", hint=hint
    )
