"""Network namespaces for tests: one that plays the host, others that play containers; functions run inside them.

Nothing here touches the real host's network, so the addresses are those for documentation (RFC 5737, RFC 3849).
"""

import codecs
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from labbox.engine.embedded.loop import Loop
from labbox.engine.embedded.network import RelaySockets, bring_loopback_up, set_up_network
from labbox.linux import namespaces, netlink
from labbox.linux.idmap import enter_user_namespace, run_forked, single_identity
from labbox.linux.process import PR_SET_PDEATHSIG, prctl

HOST_ADDRESS = "198.51.100.1"
HOST_ADDRESS_IPV6 = "2001:db8::1"
STRANGER = 47011  # a user id that needs no entry anywhere
OTHER_STRANGER = 47012

_Result = TypeVar("_Result")

for _name in ("ascii", "idna", "latin-1", "utf-8"):
    codecs.lookup(_name)  # loaded now: another user may not be able to read the standard library


class Process(NamedTuple):
    """A process that plays a part until the test ends."""

    pid: int


def users() -> list[int]:
    """The users as whom a test runs: with root's power root and somebody ordinary, else only who runs the tests."""
    return [0, STRANGER] if os.geteuid() == 0 else [os.geteuid()]


def become(uid: int) -> None:
    """Turn this process into one of user `uid`; only root may become somebody else."""
    if uid != os.geteuid():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        _end_with_parent()


def run_on_test_host(uid: int, function: Callable[[], _Result]) -> _Result:
    """Run a function as user `uid` in a new network that plays the host; its answer or exception comes back."""

    def prepare() -> None:
        become(uid)
        _enter_new_network(os.geteuid())
        bring_loopback_up()
        with netlink.NetlinkSocket(socket.NETLINK_ROUTE) as route:
            addresses = (HOST_ADDRESS, HOST_ADDRESS_IPV6)
            route.apply([netlink.add_address(netlink.LOOPBACK_INDEX, address) for address in addresses])

    return run_forked(prepare, function)


@contextmanager
def background(function: Callable[[], None]) -> Iterator[Process]:
    """Run a function in a forked process while the body runs; then the process is killed."""
    pid = os.fork()
    if pid == 0:
        try:
            _end_with_parent()
            function()
        finally:
            os._exit(1)
    try:
        yield Process(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


class ContainerNetwork(NamedTuple):
    """The network of a container that has nothing else; `relay` are the sockets it gave away."""

    pid: int
    relay: RelaySockets
    has_own_users: bool

    def run(self, function: Callable[[], _Result]) -> _Result:
        """Run a function inside; its answer or exception comes back."""
        return run_forked(self.join, function)

    def join(self) -> None:
        """Move this process inside."""
        users_descriptor = namespaces.open_namespace(self.pid, "user")
        network_descriptor = namespaces.open_namespace(self.pid, "net")
        if self.has_own_users:
            namespaces.setns(users_descriptor, namespaces.CLONE_NEWUSER)
        namespaces.setns(network_descriptor, namespaces.CLONE_NEWNET)
        _end_with_parent()


@contextmanager
def container_network(*, ipv6: bool = True) -> Iterator[ContainerNetwork]:
    """A container's network, made as the engine makes it, in a namespace of its own."""
    has_own_users = os.geteuid() != 0 or not _is_initial_user_namespace()
    ours, theirs = socket.socketpair()

    def hold() -> None:
        ours.close()
        if has_own_users:
            enter_user_namespace(single_identity())
            _end_with_parent()
        namespaces.unshare(namespaces.CLONE_NEWNET)
        sockets = set_up_network(ipv6=ipv6)
        socket.send_fds(theirs, [bytes([len(sockets.tcp)])], [*sockets.tcp, *sockets.dns])
        signal.pause()

    with background(hold) as holder:
        theirs.close()
        count, descriptors, _, _ = socket.recv_fds(ours, 1, 4)
        assert count, "the container's network could not be set up"
        relay = RelaySockets(tcp=tuple(descriptors[: count[0]]), dns=tuple(descriptors[count[0] :]))
        yield ContainerNetwork(holder.pid, relay, has_own_users)
        for descriptor in descriptors:
            os.close(descriptor)
        ours.close()


@contextmanager
def tcp_server(
    family: int, address: tuple[str, int], serve: Callable[[socket.socket], None]
) -> Iterator[tuple[str, int]]:
    """A TCP server in a process of its own, one connection at a time; yields the address it listens on."""
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)

        def run() -> None:
            while True:
                connection, _ = listener.accept()
                with connection:
                    serve(connection)

        with background(run):
            yield listener.getsockname()[:2]


@contextmanager
def udp_server(family: int, address: tuple[str, int], answer: Callable[[bytes], bytes]) -> Iterator[tuple[str, int]]:
    """A UDP server in a process of its own; an empty answer is not sent."""
    with socket.socket(family, socket.SOCK_DGRAM) as bound:
        bound.bind(address)

        def run() -> None:
            while True:
                message, client = bound.recvfrom(65535)
                reply = answer(message)
                if reply:
                    bound.sendto(reply, client)

        with background(run):
            yield bound.getsockname()[:2]


@contextmanager
def loop_in_background(prepare: Callable[[Loop], None]) -> Iterator[Process]:
    """An event loop running in a process of its own, after `prepare` has given it work."""

    def run() -> None:
        loop = Loop()
        prepare(loop)
        loop.run()

    with background(run) as process:
        yield process


def echo(connection: socket.socket) -> None:
    """Send back all that comes, then end."""
    while data := connection.recv(65536):
        connection.sendall(data)


def connect(family: int, address: tuple[str, int], *, timeout_seconds: float = 10) -> socket.socket:
    """A connected TCP socket."""
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.settimeout(timeout_seconds)
    connection.connect(address)
    return connection


def exchange(family: int, address: tuple[str, int], message: bytes) -> bytes:
    """Send a message over a new connection, end it, and return all that comes back."""
    with connect(family, address) as connection:
        connection.sendall(message)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def ask(family: int, address: tuple[str, int], message: bytes, *, timeout_seconds: float = 10) -> bytes:
    """Send a datagram and return the answer."""
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout_seconds)
        client.connect(address)
        client.send(message)
        return client.recv(65535)


def _enter_new_network(uid: int) -> None:
    if uid != 0:
        enter_user_namespace(single_identity())
    namespaces.unshare(namespaces.CLONE_NEWNET)


def _end_with_parent() -> None:
    """Have the kernel kill this process when its parent ends; to be said again whenever credentials have changed."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _is_initial_user_namespace() -> bool:
    with open("/proc/self/uid_map", encoding="ascii") as file:
        return file.read().split() == ["0", "0", "4294967295"]
