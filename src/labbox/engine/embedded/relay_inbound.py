"""What comes in by published ports: accepted on the host, dialled again inside the container's network.

Sockets stay in the network namespace they were made in. So the listening ones are made first, on the host; then the
process joins the container's network, and from there on every new socket is the container's.
"""

import errno
import socket
from collections.abc import Callable

from labbox.engine.embedded.connections import Acceptor, Switchboard, Target
from labbox.engine.embedded.loop import READABLE, Loop
from labbox.engine.embedded.network import CONTAINER_ADDRESS
from labbox.engine.embedded.streams import reset
from labbox.lightweight_typing import Any, NamedTuple
from labbox.linux.sockdiag import SocketOwners

_MAX_DATAGRAM = 65535
_DATAGRAMS_PER_TURN = 64
_MAX_FLOWS = 1024
_SECONDS_BETWEEN_SWEEPS = 30.0


class PublishedSocket(NamedTuple):
    """A bound socket of the host and where its traffic goes; `guarded` ones answer to their owner only."""

    socket: socket.socket
    container_port: int
    guarded: bool


class InboundRelay:
    """Passes the traffic of published sockets to the container whose network this process has joined.

    `owners` was opened on the host. Connections to a guarded socket that come from a user outside of `allowed_uids`
    are reset, their datagrams dropped: on a machine that people share, loopback is no private place.
    """

    def __init__(
        self,
        loop: Loop,
        published: list[PublishedSocket],
        owners: SocketOwners,
        allowed_uids: frozenset[int],
    ) -> None:
        self._switchboard = Switchboard(loop)
        self._owners = owners
        self._allowed_uids = allowed_uids
        self._parts: list[Acceptor | DatagramRelay] = []
        for entry in published:
            if entry.socket.type == socket.SOCK_STREAM:
                self._parts.append(Acceptor(loop, entry.socket, self._connector(entry)))
            else:
                self._parts.append(DatagramRelay(loop, entry, self._datagram_guard(entry)))

    def close(self) -> None:
        """Close the published sockets and break off every connection."""
        for part in self._parts:
            part.close()
        self._switchboard.close()

    def _connector(self, entry: PublishedSocket) -> Callable[[socket.socket, Any], None]:
        targets = container_targets(entry.container_port)

        def connect(client: socket.socket, address: Any) -> None:
            if entry.guarded and not self._may_connect(client, address):
                reset(client)
            else:
                self._switchboard.connect(client, targets)

        return connect

    def _may_connect(self, client: socket.socket, address: Any) -> bool:
        return self._owners.find_tcp_owner(local=address, remote=client.getsockname()) in self._allowed_uids

    def _datagram_guard(self, entry: PublishedSocket) -> Callable[[Any], bool]:
        if not entry.guarded:
            return lambda _client: True
        own_address = entry.socket.getsockname()
        return lambda client: self._owners.find_udp_owner(local=client, remote=own_address) in self._allowed_uids


class DatagramRelay:
    """Datagrams of one published UDP port: every client has a socket of its own in the container, until it is idle."""

    def __init__(self, loop: Loop, entry: PublishedSocket, may_send: Callable[[Any], bool]) -> None:
        self._loop = loop
        self._socket = entry.socket
        self._targets = container_targets(entry.container_port)
        self._may_send = may_send
        self._flows: dict[Any, _Flow] = {}
        self._socket.setblocking(False)
        loop.watch(self._socket.fileno(), READABLE, self._receive)
        self._sweeping = loop.call_later(_SECONDS_BETWEEN_SWEEPS, self._sweep)

    def close(self) -> None:
        """Stop relaying and close all sockets."""
        self._sweeping.cancel()
        for flow in self._flows.values():
            flow.close()
        self._flows.clear()
        self._loop.unwatch(self._socket.fileno())
        self._socket.close()

    def send_back(self, message: bytes, client: Any) -> None:
        """Send an answer of the container to a client; datagrams may be lost."""
        try:
            self._socket.sendto(message, client)
        except OSError:
            return

    def _receive(self, _events: int) -> None:
        for _ in range(_DATAGRAMS_PER_TURN):
            try:
                message, client = self._socket.recvfrom(_MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:  # an error that an earlier answer met: about that one, not about this socket
                continue
            if self._may_send(client):
                self._flow_of(client).send(message)

    def _flow_of(self, client: Any) -> "_Flow":
        flow = self._flows.get(client)
        if flow is None:
            if len(self._flows) >= _MAX_FLOWS:
                oldest = next(iter(self._flows))
                self._flows.pop(oldest).close()
            flow = self._flows[client] = _Flow(self._loop, self, client, self._targets)
        return flow

    def _sweep(self) -> None:
        """Close the flows that nothing has passed since the last sweep."""
        for client in [client for client, flow in self._flows.items() if not flow.take_activity()]:
            self._flows.pop(client).close()
        self._sweeping = self._loop.call_later(_SECONDS_BETWEEN_SWEEPS, self._sweep)


class _Flow:
    """The datagrams of one client, sent from a socket inside the container to the first target that takes them."""

    def __init__(self, loop: Loop, relay: DatagramRelay, client: Any, targets: list[Target]) -> None:
        self._loop = loop
        self._relay = relay
        self._client = client
        self._remaining = list(targets)
        self._socket: socket.socket | None = None
        self._last_message = b""
        self._is_active = True
        self._is_answered = False

    def send(self, message: bytes) -> None:
        self._is_active = True
        self._last_message = message
        if self._socket is None and not self._open_next():
            return
        self._try_send(message)

    def take_activity(self) -> bool:
        """True when datagrams have passed since this was last asked."""
        was_active, self._is_active = self._is_active, False
        return was_active

    def close(self) -> None:
        if self._socket is not None:
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _open_next(self) -> bool:
        self.close()
        while self._remaining:
            target = self._remaining.pop(0)
            opened = socket.socket(target.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            try:
                opened.connect(target.address)
            except OSError:
                opened.close()
                continue
            self._socket = opened
            self._loop.watch(opened.fileno(), READABLE, self._receive)
            return True
        return False

    def _try_send(self, message: bytes) -> None:
        assert self._socket is not None
        try:
            self._socket.send(message)
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                self._refused()

    def _receive(self, _events: int) -> None:
        assert self._socket is not None
        try:
            message = self._socket.recv(_MAX_DATAGRAM)
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                self._refused()
            return
        self._is_active = self._is_answered = True
        self._relay.send_back(message, self._client)

    def _refused(self) -> None:
        """Nobody listens there: send what was lost to the next target, unless this one has answered before."""
        if not self._is_answered and self._open_next():
            self._try_send(self._last_message)


def container_targets(port: int) -> list[Target]:
    """Where a server of the container may listen: loopback first, as many tools bind nothing else."""
    return [
        Target(socket.AF_INET, ("127.0.0.1", port)),
        Target(socket.AF_INET6, ("::1", port)),
        Target(socket.AF_INET, (CONTAINER_ADDRESS, port)),
    ]
