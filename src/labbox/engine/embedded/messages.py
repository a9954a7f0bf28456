"""Messages between the monitor and the processes it starts: marshalled values with descriptors, over one socket.

Both ends are the same Python on the same machine, forked or executed from one another, so `marshal` is safe and costs
no import.
"""

import marshal
import os
import struct

from labbox.lightweight_modules import socket
from labbox.lightweight_typing import Any

Channel = socket.socket

_LARGEST = 1 << 18
_INT = struct.Struct("i")  # `array` would import collections, 4 ms
_MOST_DESCRIPTORS = 16


def make_channel() -> tuple[Channel, Channel]:
    """Two connected ends that keep message boundaries (unix(7), SOCK_SEQPACKET)."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def adopt(descriptor: int) -> Channel:
    """The channel behind an inherited descriptor."""
    os.set_inheritable(descriptor, False)
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fileno=descriptor)


def send(channel: Channel, kind: str, value: Any = None, descriptors: tuple[int, ...] = ()) -> None:
    """Send one message; BrokenPipeError when the other side is gone."""
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(descriptors)}i", *descriptors))] if descriptors else []
    channel.sendmsg([marshal.dumps((kind, value))], ancillary)


def receive(channel: Channel) -> tuple[str, Any, list[int]] | None:
    """The next message with its descriptors (close-on-exec), or None when the other side is gone."""
    size = _INT.size * _MOST_DESCRIPTORS
    try:
        data, ancillary, _, _ = channel.recvmsg(_LARGEST, socket.CMSG_LEN(size), socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        return None
    if not data:
        return None
    descriptors: list[int] = []
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            whole = payload[: len(payload) - len(payload) % _INT.size]
            descriptors += [number for (number,) in _INT.iter_unpack(whole)]
    name, value = marshal.loads(data)
    return name, value, descriptors


def write_plan(plan: dict[str, Any]) -> int:
    """A descriptor from which `read_plan` reads the plan in another process (memfd_create(2))."""
    descriptor = os.memfd_create("labbox-plan", os.MFD_CLOEXEC)
    os.write(descriptor, marshal.dumps(plan))
    return descriptor


def read_plan(descriptor: int) -> dict[str, Any]:
    """What `write_plan` wrote; the descriptor is closed."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "rb") as file:
        plan: dict[str, Any] = marshal.loads(file.read())
    return plan
