"""Talking to the kernel over netlink(7), and what rtnetlink(7) is needed for: links, addresses, routes.

Messages are encoded by hand: a handful of structures, against a quarter of a second to import a library for them.
"""

import os
import struct

from labbox.lightweight_modules import socket
from labbox.lightweight_typing import NamedTuple, Self

# linux/netlink.h
NLM_F_REQUEST = 0x01
NLM_F_ACK = 0x04
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_APPEND = 0x800
NLA_F_NESTED = 0x8000
_NLMSG_ERROR = 2
_NLM_F_CAPPED = 0x100
_NLM_F_ACK_TLVS = 0x200
_NLMSGERR_ATTR_MSG = 1
_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11

# linux/rtnetlink.h, linux/if_addr.h, linux/if.h
_RTM_NEWLINK = 16
_RTM_NEWADDR = 20
_RTM_NEWROUTE = 24
_IFF_UP = 1
_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_IFA_F_NODAD = 0x02
_RTA_OIF = 4
_RTA_PREFSRC = 7
_RT_TABLE_MAIN = 254
_RTPROT_STATIC = 4
_RT_SCOPE_UNIVERSE = 0
_RT_SCOPE_LINK = 253
_RTN_UNICAST = 1
_RTN_LOCAL = 2

LOOPBACK_INDEX = 1  # the kernel numbers the loopback device of every network namespace so

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")


class Message(NamedTuple):
    """One request to the kernel: its type, its flags, its body, and what it does in words."""

    kind: int
    flags: int
    body: bytes
    purpose: str


class NetlinkSocket:
    """A socket to one of the kernel's netlink families, in the network namespace it was opened in."""

    def __init__(self, family: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)
        self._sequence = 0
        for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK):
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        self._socket.bind((0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def fileno(self) -> int:
        """The descriptor of the socket."""
        return self._socket.fileno()

    def apply(self, messages: list[Message]) -> None:
        """Send all messages at once and wait until the kernel has acknowledged each one that asked for it.

        Raises OSError for the first that failed, with its purpose and the kernel's own explanation where there is one.
        """
        first = self._sequence + 1
        self._socket.send(b"".join(self._encode(message) for message in messages))
        waiting = {first + index for index, message in enumerate(messages) if message.flags & NLM_F_ACK}
        while waiting:
            for kind, flags, sequence, body in split_messages(self._socket.recv(65536)):
                if kind == _NLMSG_ERROR and sequence >= first:
                    _raise_refusal(flags, body, messages[sequence - first].purpose)
                    waiting.discard(sequence)

    def query(self, message: Message) -> bytes:
        """Send one request and return the body of the kernel's first answer; raises OSError as the kernel does."""
        self._socket.send(self._encode(message))
        while True:
            for kind, flags, sequence, body in split_messages(self._socket.recv(65536)):
                if sequence != self._sequence:
                    continue  # the rest of an earlier answer
                if kind == _NLMSG_ERROR:
                    _raise_refusal(flags, body, message.purpose)
                return body

    def _encode(self, message: Message) -> bytes:
        self._sequence += 1
        length = _HEADER.size + len(message.body)
        flags = message.flags | NLM_F_REQUEST
        return _padded(_HEADER.pack(length, message.kind, flags, self._sequence, 0) + message.body)


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute: length, type, value, filled up to four bytes."""
    return _padded(_ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value)


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute made of attributes."""
    return attribute(kind | NLA_F_NESTED, b"".join(attributes))


def split_messages(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """The type, flags, sequence number and body of each message of one datagram."""
    messages = []
    position = 0
    while position + _HEADER.size <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, position)
        if length < _HEADER.size:
            break
        messages.append((kind, flags, sequence, data[position + _HEADER.size : position + length]))
        position += (length + 3) & ~3
    return messages


def link_up(index: int) -> Message:
    """Bring a network device up."""
    return Message(_RTM_NEWLINK, NLM_F_ACK, struct.pack("=BxHiII", 0, 0, index, _IFF_UP, _IFF_UP), f"link {index} up")


def add_address(index: int, address: str) -> Message:
    """Give a device one IPv4 or IPv6 address, without a network around it, seen from everywhere."""
    family, packed = parse_address(address)
    flags = _IFA_F_NODAD if family == socket.AF_INET6 else 0
    head = struct.pack("=BBBBI", family, len(packed) * 8, flags, _RT_SCOPE_UNIVERSE, index)
    body = head + attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)
    return Message(_RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, body, f"address add {address}")


def add_loopback_default_route(source: str) -> Message:
    """Send everything that has no other route to the loopback device, from the address `source`."""
    family, packed = parse_address(source)
    # IPv6 turns a unicast route through the loopback device into a reject route (net/ipv6/route.c,
    # ip6_route_info_create); one of type local stays a route.
    scope, kind = (_RT_SCOPE_LINK, _RTN_UNICAST) if family == socket.AF_INET else (_RT_SCOPE_UNIVERSE, _RTN_LOCAL)
    head = struct.pack("=BBBBBBBBI", family, 0, 0, 0, _RT_TABLE_MAIN, _RTPROT_STATIC, scope, kind, 0)
    body = head + attribute(_RTA_OIF, struct.pack("=I", LOOPBACK_INDEX)) + attribute(_RTA_PREFSRC, packed)
    return Message(_RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, body, f"route add default dev lo src {source}")


def parse_address(text: str) -> tuple[int, bytes]:
    """The family and the bytes of an IPv4 or IPv6 address."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return family, socket.inet_pton(family, text)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _raise_refusal(flags: int, body: bytes, purpose: str) -> None:
    number = -struct.unpack_from("=i", body)[0]
    if number == 0:
        return
    explanation = _explanation(flags, body)
    detail = f" ({explanation})" if explanation else ""
    raise OSError(number, f"netlink {purpose}: {os.strerror(number)}{detail}")


def _explanation(flags: int, body: bytes) -> str:
    """The text of an extended acknowledgement, or nothing (linux/netlink.h, struct nlmsgerr)."""
    if not flags & _NLM_F_ACK_TLVS:
        return ""
    original_length = struct.unpack_from("=I", body, 4)[0]
    position = 4 + (_HEADER.size if flags & _NLM_F_CAPPED else (original_length + 3) & ~3)
    while position + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, position)
        if kind == _NLMSGERR_ATTR_MSG:
            return body[position + _ATTRIBUTE.size : position + length].rstrip(b"\0").decode(errors="replace")
        position += max(_ATTRIBUTE.size, (length + 3) & ~3)
    return ""
