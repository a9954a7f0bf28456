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
_MOST_DESCRIPTORS = 200  # of 253 that the kernel takes (SCM_MAX_FD)


def make_channel() -> tuple[Channel, Channel]:
    """Two connected ends that keep message boundaries (unix(7), SOCK_SEQPACKET)."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def adopt(descriptor: int) -> Channel:
    """The channel behind an inherited descriptor."""
    os.set_inheritable(descriptor, False)
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fileno=descriptor)


def send(channel: Channel, kind: str, value: Any = None, descriptors: tuple[int, ...] = ()) -> None:
    """Send one message; BrokenPipeError when the other side is gone."""
    ancillary = (
        [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(descriptors)}i", *descriptors))]
        if descriptors
        else []
    )
    channel.sendmsg([marshal.dumps((kind, value))], ancillary)


def send_with_descriptor(connection: Channel, data: bytes, descriptor: int) -> None:
    """Send bytes on a stream, and a descriptor with them."""
    connection.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, _INT.pack(descriptor))])


def receive(channel: Channel) -> tuple[str, Any, list[int]] | None:
    """The next message with its descriptors (close-on-exec), or None when the other side is gone."""
    size = _INT.size * (_MOST_DESCRIPTORS + 1)
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
    name, value = marshal.loads(data)  # noqa: S302  (written by our own process)
    return name, value, descriptors


def send_plan(channel: Channel, plan: dict[str, Any], descriptors: tuple[int, ...] = ()) -> None:
    """Send a plan of any size (in a memfd_create(2) file) with the descriptors that belong to it."""
    file = os.memfd_create("labbox-plan", os.MFD_CLOEXEC)
    try:
        write_whole(file, marshal.dumps(plan))
        send(channel, "plan", len(descriptors), (file, *descriptors[:_MOST_DESCRIPTORS]))
        for start in range(_MOST_DESCRIPTORS, len(descriptors), _MOST_DESCRIPTORS):
            send(channel, "descriptors", None, descriptors[start : start + _MOST_DESCRIPTORS])
    finally:
        os.close(file)


def receive_plan(channel: Channel) -> tuple[dict[str, Any], list[int]] | None:
    """What `send_plan` sent, or None when the other side has gone away instead."""
    message = receive(channel)
    if message is None:
        return None
    _, expected, (file, *descriptors) = message
    while len(descriptors) < expected:
        following = receive(channel)
        if following is None:
            return None
        descriptors += following[2]
    os.lseek(file, 0, os.SEEK_SET)
    with open(file, "rb") as stream:
        plan: dict[str, Any] = marshal.loads(stream.read())  # noqa: S302  (written by our own process)
    return plan, descriptors


def write_whole(descriptor: int, data: bytes) -> None:
    """Write everything to a file that takes it."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
