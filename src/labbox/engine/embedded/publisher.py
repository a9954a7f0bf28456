"""Ports of the host for one container: bound when it is made to start, served by a process inside its network.

The relay is a process of its own because it must live in the container's network namespace; it ends with the monitor.
"""

import errno
import os
import signal
import socket

from labbox.engine.embedded.departure import join_outer_user_namespace
from labbox.engine.embedded.loop import Loop
from labbox.engine.embedded.relay_inbound import InboundRelay, PublishedSocket
from labbox.engine.specification import PortBinding
from labbox.errors import EngineError
from labbox.lightweight_typing import Any, Self
from labbox.linux import namespaces
from labbox.linux.process import PR_SET_PDEATHSIG, close_from, prctl, set_process_name
from labbox.linux.sockdiag import SocketOwners

_BACKLOG = 4096
_FIRST_UNPRIVILEGED = 1024


class PortPublisher:
    """Holds a container's ports on the host; raises EngineError, as docker words it, when one is taken.

    `ports` are the bindings with the numbers that the kernel chose.
    """

    def __init__(self, bindings: tuple[PortBinding, ...]) -> None:
        self._sockets: list[PublishedSocket] = []
        self._relay = 0
        ports = []
        try:
            for binding in bindings:
                bound = _bind(binding)
                self._sockets.append(bound)
                ports.append(binding._replace(host_port=bound.socket.getsockname()[1]))
        except BaseException:
            self.close()
            raise
        self.ports = tuple(ports)

    @classmethod
    def from_document(cls, document: list[Any], descriptors: list[int]) -> Self:
        """The publisher that another process made, with its sockets."""
        publisher = cls(())
        publisher.ports = tuple(PortBinding(*binding) for binding, _ in document)
        publisher._sockets = [
            PublishedSocket(socket.socket(fileno=descriptor), binding[0], guarded)
            for descriptor, (binding, guarded) in zip(descriptors, document, strict=True)
        ]
        return publisher

    def to_document(self) -> list[Any]:
        """Plain values from which `from_document` makes it again."""
        return [(tuple(port), entry.guarded) for port, entry in zip(self.ports, self._sockets, strict=True)]

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The listening sockets' descriptors."""
        return tuple(entry.socket.fileno() for entry in self._sockets)

    def forget(self) -> None:
        """The sockets belong to another process now."""
        for entry in self._sockets:
            entry.socket.close()

    @property
    def relay_pid(self) -> int:
        """The process that serves; 0 when there is none."""
        return self._relay

    def serve(self, pid: int, *, joins_user_namespace: bool) -> None:
        """Pass connections on into the network of process `pid`, until `pause`."""
        owners = SocketOwners()
        monitor = os.getpid()
        self._relay = os.fork()
        if self._relay == 0:
            try:
                self._become_relay(pid, owners, monitor, joins_user_namespace=joins_user_namespace)
            except BaseException:  # noqa: BLE001  (the process ends here: what is wrong stands in monitor.log)
                import traceback  # noqa: PLC0415

                traceback.print_exc()
            finally:
                os._exit(1)
        owners.close()

    def pause(self) -> None:
        """End the relay; the ports stay taken."""
        if self._relay:
            os.kill(self._relay, signal.SIGKILL)
            os.waitpid(self._relay, 0)
            self._relay = 0

    def close(self) -> None:
        """End the relay and give the ports back."""
        self.pause()
        self.forget()

    def _become_relay(self, pid: int, owners: SocketOwners, monitor: int, *, joins_user_namespace: bool) -> None:
        set_process_name("labbox-ports")
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        allowed = _owners()
        close_from(3, (*self.descriptors, owners.fileno()))
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        container = os.pidfd_open(pid)
        if joins_user_namespace:
            join_outer_user_namespace(pid)
        namespaces.setns(container, namespaces.CLONE_NEWNET)
        os.close(container)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # joining has changed credentials, which resets it
        if os.getppid() != monitor:
            return
        loop = Loop()
        InboundRelay(loop, self._sockets, owners, allowed)
        loop.run()


def _owners() -> frozenset[int]:
    """Who may connect: root, this user, and who became root by sudo."""
    behind_sudo = os.environ.get("SUDO_UID", "")
    extra = {int(behind_sudo)} if os.getuid() == 0 and behind_sudo.isdigit() else set()
    return frozenset({0, os.getuid(), *extra})


def _bind(binding: PortBinding) -> PublishedSocket:
    """A bound, for TCP listening, socket of this binding; a name is resolved to its first address."""
    kind = socket.SOCK_STREAM if binding.protocol == "tcp" else socket.SOCK_DGRAM
    address = binding.host_address or "127.0.0.1"
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, kind | socket.SOCK_CLOEXEC)
    try:
        if kind == socket.SOCK_STREAM:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address, binding.host_port))
        if kind == socket.SOCK_STREAM:
            opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        raise _explain(binding, address, error) from error
    opened.setblocking(False)
    is_loopback = address == "::1" or address.startswith("127.")
    return PublishedSocket(opened, binding.container_port, guarded=is_loopback and not binding.shared)


def _explain(binding: PortBinding, address: str, error: OSError) -> EngineError:
    place = f"[{address}]:{binding.host_port}" if ":" in address else f"{address}:{binding.host_port}"
    if error.errno == errno.EADDRINUSE:
        return EngineError(
            f"Bind for {place} failed: port is already allocated",
            hint=f"choose another port of the host, for example -p {binding.host_port + 1}:{binding.container_port}",
        )
    if error.errno == errno.EACCES and binding.host_port < _FIRST_UNPRIVILEGED:
        return EngineError(
            f"Bind for {place} failed: ports below 1024 are root's",
            hint="choose a higher one, or allow it: sudo sysctl -w net.ipv4.ip_unprivileged_port_start=0",
        )
    return EngineError(f"Bind for {place} failed: {os.strerror(error.errno or 0).lower()}")
