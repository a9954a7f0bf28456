"""The few nf_tables messages that redirect a network namespace's outgoing connections to a port of its own.

Attribute numbers are those of linux/netfilter/nf_tables.h; numbers in attributes travel in network byte order.
"""

import struct

from labbox.lightweight_modules import socket
from labbox.linux.netlink import NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, Message, attribute, nested, parse_address

NETLINK_NETFILTER = 12  # linux/netlink.h

# linux/netfilter/nfnetlink.h
_NFNL_MSG_BATCH_BEGIN = 16
_NFNL_MSG_BATCH_END = 17
_NFNL_SUBSYS_NFTABLES = 10

# linux/netfilter/nf_tables.h, linux/netfilter.h, linux/netfilter_ipv4.h
_NFT_MSG_NEWTABLE = 0
_NFT_MSG_NEWCHAIN = 3
_NFT_MSG_NEWRULE = 6
_NF_INET_LOCAL_OUT = 3
_NF_IP_PRI_NAT_DST = -100
_NF_ACCEPT = 1
_NFT_REG_VERDICT = 0
_NFT_REG_1 = 1
_NFT_PAYLOAD_NETWORK_HEADER = 1
_NFT_PAYLOAD_TRANSPORT_HEADER = 2
_NFT_META_L4PROTO = 16
_NFT_CMP_EQ = 0
_NFTA_DATA_VALUE = 1
_NFTA_DATA_VERDICT = 2

_TABLE = "labbox"
_CHAIN = "outgoing"
_DESTINATION_PORT_OFFSET = 2  # in the headers of TCP and UDP alike
_DESTINATION_ADDRESS_OFFSET: dict[int, int] = {socket.AF_INET: 16, socket.AF_INET6: 24}
_LOOPBACK_PREFIX: dict[int, bytes] = {
    socket.AF_INET: b"\x7f",  # 127.0.0.0/8
    socket.AF_INET6: bytes(15) + b"\x01",  # ::1
}
_DNS_PORT = 53


def redirect_outgoing(own_addresses: list[str], *, tcp_port: int, dns_port: int) -> list[Message]:
    """One batch that turns TCP to `tcp_port` and UDP port 53 to `dns_port`, for the family of each address.

    Connections to the loopback network and to `own_addresses` are left alone.
    """
    # One batch for all: the kernel applies it whole or not at all.
    messages = [_batch_mark(_NFNL_MSG_BATCH_BEGIN)]
    for address in own_addresses:
        messages += _table_for(address, tcp_port=tcp_port, dns_port=dns_port)
    messages.append(_batch_mark(_NFNL_MSG_BATCH_END))
    return messages


def _table_for(own_address: str, *, tcp_port: int, dns_port: int) -> list[Message]:
    family, packed = parse_address(own_address)
    return [
        _new_table(family),
        _new_output_chain(family),
        _new_rule(family, "accept loopback", _destination_starts_with(family, _LOOPBACK_PREFIX[family]), _accept()),
        _new_rule(family, "accept own address", _destination_starts_with(family, packed), _accept()),
        _new_rule(family, "redirect DNS", _is_udp_to(_DNS_PORT), _redirect_to(dns_port)),
        _new_rule(family, "redirect TCP", _is_protocol(socket.IPPROTO_TCP), _redirect_to(tcp_port)),
    ]


def _batch_mark(kind: int) -> Message:
    return Message(kind, 0, struct.pack("!BBH", socket.AF_UNSPEC, 0, _NFNL_SUBSYS_NFTABLES), "nftables batch")


def _command(kind: int, family: int, flags: int, purpose: str, *attributes: bytes) -> Message:
    # The families of nf_tables (NFPROTO_IPV4 = 2, NFPROTO_IPV6 = 10) are those of sockets.
    body = struct.pack("!BBH", family, 0, 0) + b"".join(attributes)
    return Message(_NFNL_SUBSYS_NFTABLES << 8 | kind, flags | NLM_F_ACK | NLM_F_CREATE, body, f"nftables {purpose}")


def _new_table(family: int) -> Message:
    return _command(_NFT_MSG_NEWTABLE, family, 0, "add table", attribute(1, _text(_TABLE)))


def _new_output_chain(family: int) -> Message:
    hook = nested(4, attribute(1, _number(_NF_INET_LOCAL_OUT)), attribute(2, _number(_NF_IP_PRI_NAT_DST)))
    return _command(
        _NFT_MSG_NEWCHAIN,
        family,
        0,
        "add chain of type nat",
        attribute(1, _text(_TABLE)),
        attribute(3, _text(_CHAIN)),
        hook,
        attribute(7, _text("nat")),
    )


def _new_rule(family: int, purpose: str, *expressions: list[bytes]) -> Message:
    flat = [expression for group in expressions for expression in group]
    return _command(
        _NFT_MSG_NEWRULE,
        family,
        NLM_F_APPEND,
        f"add rule: {purpose}",
        attribute(1, _text(_TABLE)),
        attribute(2, _text(_CHAIN)),
        nested(4, *flat),
    )


def _expression(name: str, *attributes: bytes) -> bytes:
    return nested(1, attribute(1, _text(name)), nested(2, *attributes))


def _destination_starts_with(family: int, prefix: bytes) -> list[bytes]:
    offset = _DESTINATION_ADDRESS_OFFSET[family]
    return [_load(_NFT_PAYLOAD_NETWORK_HEADER, offset, len(prefix)), _equals(prefix)]


def _is_udp_to(port: int) -> list[bytes]:
    load_port = _load(_NFT_PAYLOAD_TRANSPORT_HEADER, _DESTINATION_PORT_OFFSET, 2)
    return [*_is_protocol(socket.IPPROTO_UDP), load_port, _equals(struct.pack("!H", port))]


def _is_protocol(protocol: int) -> list[bytes]:
    load = _expression("meta", attribute(1, _number(_NFT_REG_1)), attribute(2, _number(_NFT_META_L4PROTO)))
    return [load, _equals(bytes([protocol]))]


def _load(header: int, offset: int, length: int) -> bytes:
    numbers = (_NFT_REG_1, header, offset, length)
    return _expression("payload", *(attribute(kind, _number(value)) for kind, value in enumerate(numbers, start=1)))


def _equals(value: bytes) -> bytes:
    return _expression(
        "cmp",
        attribute(1, _number(_NFT_REG_1)),
        attribute(2, _number(_NFT_CMP_EQ)),
        nested(3, attribute(_NFTA_DATA_VALUE, value)),
    )


def _accept() -> list[bytes]:
    verdict = nested(_NFTA_DATA_VERDICT, attribute(1, _number(_NF_ACCEPT)))
    return [_expression("immediate", attribute(1, _number(_NFT_REG_VERDICT)), nested(2, verdict))]


def _redirect_to(port: int) -> list[bytes]:
    port_value = nested(2, attribute(_NFTA_DATA_VALUE, struct.pack("!H", port)))
    load_port = _expression("immediate", attribute(1, _number(_NFT_REG_1)), port_value)
    return [load_port, _expression("redir", attribute(1, _number(_NFT_REG_1)))]


def _number(value: int) -> bytes:
    return struct.pack("!i", value)


def _text(value: str) -> bytes:
    return value.encode() + b"\0"
