"""Host ports for a lab's services: the number they have inside where it is free, else the next; kept from then on."""

import socket
from collections.abc import Collection, Mapping

from labbox.engine.notation.ports import LOCAL_ADDRESS
from labbox.errors import ConflictError

_LAST_PORT = 65535
_TRIES = 2000


def choose_ports(wanted: Mapping[str, int], kept: Mapping[str, int], taken: Collection[int]) -> dict[str, int]:
    """A free host port for each service (name → port inside): the one it had, else its own number or one above.

    `taken` are ports that other labs of this user hold, running or not: no lab gets another's link.
    """
    chosen: dict[str, int] = {}
    for name, inside in wanted.items():
        avoid = {*taken, *chosen.values()}
        first = kept.get(name)
        if first is not None and first not in chosen.values() and is_free(first):
            chosen[name] = first
            continue
        chosen[name] = _next_free(inside if inside >= 1024 else inside + 10000, avoid, name)
    return chosen


def is_free(port: int) -> bool:
    """True when nobody listens on the port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCAL_ADDRESS, port))
        except OSError:
            return False
    return True


def _next_free(first: int, avoid: Collection[int], name: str) -> int:
    for port in range(first, min(first + _TRIES, _LAST_PORT + 1)):
        if port not in avoid and is_free(port):
            return port
    raise ConflictError(f"no free port from {first} on for service `{name}`")
