"""`-p [address:][host port:]container port[/protocol]` and `--expose` (docker/go-connections, nat/nat.go)."""

from labbox.engine.specification import PortBinding, Protocol
from labbox.errors import UsageError

LOCAL_ADDRESS = "127.0.0.1"
EVERY_ADDRESS = "0.0.0.0"
_HIGHEST_PORT = 65535


def parse_published(text: str, *, default_address: str = LOCAL_ADDRESS) -> list[PortBinding]:
    """The bindings of one `-p`; one on a loopback address answers to its owner only, any other to everyone."""
    *front, container_text = text.split(":")
    host_text = front.pop() if front else ""
    address = _parse_address(":".join(front)) or default_address
    if not container_text:
        raise UsageError(f"no port specified: {text}<empty>")
    container_text, protocol = _split_protocol(container_text)
    container_ports = _parse_range(container_text, f"invalid containerPort: {container_text}")
    host_ports = _parse_range(host_text, f"invalid hostPort: {host_text}", lowest=0) if host_text else None
    return _pair(container_ports, host_ports, address, protocol, f"{container_text} and {host_text}")


def parse_exposed(text: str) -> list[str]:
    """The ports of one `--expose`, each as `80/tcp`."""
    if ":" in text:
        raise UsageError(f"invalid port format for --expose: {text}")
    ports_text, protocol = _split_protocol(text)
    ports = _parse_range(ports_text, f'invalid range format for --expose: {text}, error: parsing "{ports_text}"')
    return [f"{port}/{protocol}" for port in ports]


def _pair(
    container_ports: range, host_ports: range | None, address: str, protocol: Protocol, ranges: str
) -> list[PortBinding]:
    if host_ports is None:
        host_ports = range(1) if len(container_ports) == 1 else None
    elif len(host_ports) != len(container_ports):
        if len(container_ports) == 1:
            raise UsageError("a range of host ports for one container port is not supported", hint="name one host port")
        raise UsageError(f"invalid ranges specified for container and host Ports: {ranges}")
    return [
        PortBinding(
            container_port=port,
            protocol=protocol,
            host_address=address,
            host_port=host_ports[position] if host_ports is not None else 0,
            shared=not _is_loopback(address),
        )
        for position, port in enumerate(container_ports)
    ]


def _parse_address(text: str) -> str:
    if not text:
        return ""
    address = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    import socket  # noqa: PLC0415  (most ports are published without an address)

    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.inet_pton(family, address)
    except OSError:
        raise UsageError(f"invalid IP address: {text}") from None
    return address


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _split_protocol(text: str) -> tuple[str, Protocol]:
    port, _, name = text.partition("/")
    match name.lower():
        case "" | "tcp":
            return port, "tcp"
        case "udp":
            return port, "udp"
        case "sctp":
            raise UsageError("labbox publishes tcp and udp ports, not sctp")
    raise UsageError(f"invalid proto: {name}")


def _parse_range(text: str, message: str, *, lowest: int = 1) -> range:
    first, dash, last = text.partition("-")
    ports = [int(port) for port in (first, last if dash else first) if port.isascii() and port.isdigit()]
    if len(ports) != 2 or not lowest <= ports[0] <= ports[1] <= _HIGHEST_PORT:
        raise UsageError(message)
    return range(ports[0], ports[1] + 1)
