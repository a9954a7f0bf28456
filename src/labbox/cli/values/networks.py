"""`--network`, `--add-host`, `--dns`: how a container reaches others and is called by them."""

from labbox.errors import UsageError

_OWN = frozenset({"", "auto", "bridge", "default", "private"})


def parse_network(text: str) -> str:
    """The network as the engine calls it: `auto` (docker's bridge), `host` or `none`."""
    if text in _OWN:
        return "auto"
    if text in ("host", "none"):
        return text
    if text.startswith("container:"):
        raise UsageError("a container cannot join another container's network", hint="use `labbox exec` in that one")
    raise UsageError(f"network {text} not found", hint="the networks are bridge (a container's own), host and none")


def parse_extra_host(text: str) -> str:
    """One `--add-host name:address`, as `name:address`."""
    name, separator, address = text.partition("=" if "=" in text else ":")
    if not name or not separator or not address:
        raise UsageError(f'bad format for add-host: "{text}"')
    bare = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    if bare != "host-gateway" and not _is_address(bare):
        raise UsageError(f'invalid IP address in add-host: "{address}"')
    return f"{name}:{bare}"


def parse_dns(text: str) -> str:
    """One `--dns` server."""
    if not _is_address(text):
        raise UsageError(f"IP address is not correctly formatted: {text}")
    return text


def _is_address(text: str) -> bool:
    import socket

    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except OSError:
            continue
        return True
    return False
