"""Whose socket is at the other end of a local connection: NETLINK_SOCK_DIAG (sock_diag(7)).

The kernel answers in the network namespace, and in the user ids of the user namespace, of whoever opened the netlink
socket: opened early, it keeps speaking of the host after its process has joined a container.
"""

import socket
import struct

from labbox.lightweight_typing import Any
from labbox.linux.netlink import Message, NetlinkSocket

_NETLINK_SOCK_DIAG = 4  # linux/netlink.h
_SOCK_DIAG_BY_FAMILY = 20  # linux/sock_diag.h

# linux/inet_diag.h: struct inet_diag_req_v2 and struct inet_diag_msg
_REQUEST = struct.Struct("=BBBxI")
_ALL_STATES = 0xFFFFFFFF
_NO_COOKIE = b"\xff" * 8
_INTERFACE_AND_COOKIE = struct.Struct("=I8s")
_UID_AND_INODE = struct.Struct("=II")
_UID_OFFSET = 64  # four bytes of state, 48 of socket identity, then expires, rqueue, wqueue
_ROOT = 0


class SocketOwners:
    """Answers whose a local socket is, by the exact addresses of its connection."""

    def __init__(self) -> None:
        self._netlink = NetlinkSocket(_NETLINK_SOCK_DIAG)

    def close(self) -> None:
        """Close the netlink socket."""
        self._netlink.close()

    def fileno(self) -> int:
        """The descriptor of the netlink socket, for whoever closes all others."""
        return self._netlink.fileno()

    def find_tcp_owner(self, local: tuple[Any, ...], remote: tuple[Any, ...]) -> int | None:
        """The user id of the TCP socket that is bound to `local` and connected to `remote`.

        None when it cannot be known: there is no such socket (any more), or its process has closed it already.
        """
        return self._find_owner(socket.IPPROTO_TCP, local, remote)

    def find_udp_owner(self, local: tuple[Any, ...], remote: tuple[Any, ...]) -> int | None:
        """The user id of the UDP socket that sends from `local` to `remote`; None as for TCP."""
        # For UDP the kernel reads the two ends the other way round (net/ipv4/udp_diag.c, udp_dump_one).
        return self._find_owner(socket.IPPROTO_UDP, remote, local)

    def _find_owner(self, protocol: int, source: tuple[Any, ...], destination: tuple[Any, ...]) -> int | None:
        family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
        body = _REQUEST.pack(family, protocol, 0, _ALL_STATES) + _pack_identity(family, source, destination)
        try:
            answer = self._netlink.query(Message(_SOCK_DIAG_BY_FAMILY, 0, body, "look up a socket"))
        except FileNotFoundError:
            return None
        uid, inode = _UID_AND_INODE.unpack_from(answer, _UID_OFFSET)
        # A socket without an inode belongs to no process any more, and old kernels then call root its owner.
        if inode == 0 and uid == _ROOT:
            return None
        return int(uid)


def _pack_identity(family: int, source: tuple[Any, ...], destination: tuple[Any, ...]) -> bytes:
    """An inet_diag_sockid: ports, addresses (16 bytes each), interface, cookie."""
    ports = struct.pack("!HH", source[1], destination[1])
    addresses = b"".join(socket.inet_pton(family, end[0]).ljust(16, b"\0") for end in (source, destination))
    return ports + addresses + _INTERFACE_AND_COOKIE.pack(0, _NO_COOKIE)
