"""What a container sends to the world: its redirected connections, dialled again from the host's network."""

import socket
import struct

from labbox.engine.embedded.connections import Acceptor, Switchboard, Target
from labbox.engine.embedded.dns import DNS_PORT, DnsForwarder, Resolvers
from labbox.engine.embedded.loop import Loop
from labbox.engine.embedded.network import HOST_ADDRESS, NAMESERVER_ADDRESS, RelaySockets
from labbox.engine.embedded.streams import reset
from labbox.lightweight_typing import Any

# linux/netfilter_ipv4.h, linux/netfilter_ipv6/ip6_tables.h, linux/in.h, linux/in6.h
_SO_ORIGINAL_DST = 80
_IP6T_SO_ORIGINAL_DST = 80
_SOCKADDR_IN_SIZE = 16
_SOCKADDR_IN6_SIZE = 28

_IPV4_IN_IPV6_PREFIXES = (bytes(10) + b"\xff\xff", bytes(12))  # mapped and compatible addresses (RFC 4291)


class OutboundRelay:
    """Serves a container's relay sockets on the loop of a process that lives in the host's network namespace.

    The host's own loopback stays out of reach, unless `reach_host`: then the address 10.0.2.2 leads there. When a
    target cannot be reached the container's connection is reset; it had already been accepted by the redirect.
    """

    def __init__(
        self, loop: Loop, sockets: RelaySockets, *, resolvers: Resolvers | None = None, reach_host: bool = False
    ) -> None:
        self._reach_host = reach_host
        self._resolvers = resolvers or Resolvers()
        self._switchboard = Switchboard(loop)
        self._forwarders = [DnsForwarder(loop, descriptor, self._resolvers) for descriptor in sockets.dns]
        listeners = [socket.socket(fileno=descriptor) for descriptor in sockets.tcp]
        self._acceptors = [Acceptor(loop, listener, self._connect) for listener in listeners]

    def close(self) -> None:
        """Close the relay's sockets and break off every connection."""
        for forwarder in self._forwarders:
            forwarder.close()
        for acceptor in self._acceptors:
            acceptor.close()
        self._switchboard.close()

    def _connect(self, client: socket.socket, _address: Any) -> None:
        try:
            targets = self._targets_for(original_destination(client))
        except OSError:  # the connection was not redirected, or has broken off
            targets = []
        if targets:
            self._switchboard.connect(client, targets)
        else:
            reset(client)

    def _targets_for(self, destination: Target) -> list[Target]:
        host, port = destination.address[:2]
        if host == NAMESERVER_ADDRESS and port == DNS_PORT:
            return self._resolvers.targets()
        if host == HOST_ADDRESS and self._reach_host:
            return [Target(socket.AF_INET, ("127.0.0.1", port)), Target(socket.AF_INET6, ("::1", port))]
        return [] if is_host_only(destination) else [destination]


def original_destination(connection: socket.socket) -> Target:
    """Where a redirected connection was going before nf_tables turned it around."""
    if connection.family == socket.AF_INET:
        raw = connection.getsockopt(socket.IPPROTO_IP, _SO_ORIGINAL_DST, _SOCKADDR_IN_SIZE)
        port, packed = struct.unpack_from("!H4s", raw, 2)
        return Target(socket.AF_INET, (socket.inet_ntop(socket.AF_INET, packed), port))
    raw = connection.getsockopt(socket.IPPROTO_IPV6, _IP6T_SO_ORIGINAL_DST, _SOCKADDR_IN6_SIZE)
    port, packed = struct.unpack_from("!H4x16s", raw, 2)
    return Target(socket.AF_INET6, (socket.inet_ntop(socket.AF_INET6, packed), port))


def is_host_only(destination: Target) -> bool:
    """True for addresses that on the host would mean the host itself: loopback and "any", however written."""
    packed = socket.inet_pton(destination.family, destination.address[0])
    if destination.family == socket.AF_INET6:
        if packed[:12] not in _IPV4_IN_IPV6_PREFIXES:
            return False
        if packed[:12] == bytes(12) and packed[12:] in (bytes(4), bytes(3) + b"\x01"):
            return True
        packed = packed[12:]
    return packed[0] in (0, 127)
