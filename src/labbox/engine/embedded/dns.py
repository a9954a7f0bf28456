"""Names for containers: their resolv.conf, and queries passed on to the resolvers of the host."""

import errno
import os
import socket
from collections.abc import Sequence

from labbox.engine.embedded.connections import Target
from labbox.engine.embedded.loop import READABLE, Loop, Timer
from labbox.engine.embedded.network import NAMESERVER_ADDRESS
from labbox.lightweight_typing import Any

DNS_PORT = 53
HOST_RESOLV_CONF = "/etc/resolv.conf"

_SECONDS_PER_SERVER = 2.0
_MAX_PENDING = 1024
_MAX_DATAGRAM = 65535
_QUERIES_PER_TURN = 64
_HEADER_SIZE = 12  # RFC 1035, 4.1.1
_SERVFAIL = 2
_DEFAULT_SERVERS = ["127.0.0.1"]  # resolv.conf(5): the name server on the local machine
_HOST_ONLY_OPTIONS = {"trust-ad"}  # says that the path to the resolver is safe: not ours to promise


def container_resolv_conf(
    host_text: str, *, servers: Sequence[str] = (), search: Sequence[str] = (), options: Sequence[str] = ()
) -> str:
    """The text of a container's /etc/resolv.conf: our relay as name server, search and options as on the host.

    What is given explicitly (`--dns`, `--dns-search`, `--dns-option`) replaces the host's; `.` as search means none.
    """
    lines = [f"nameserver {server}" for server in servers or (NAMESERVER_ADDRESS,)]
    chosen_search = list(search) or _last_words(host_text, ("search", "domain"))
    if chosen_search and chosen_search != ["."]:
        lines.append("search " + " ".join(chosen_search))
    host_options = [word for word in _all_words(host_text, "options") if word not in _HOST_ONLY_OPTIONS]
    chosen_options = list(options) or host_options
    if chosen_options:
        lines.append("options " + " ".join(chosen_options))
    return "\n".join(lines) + "\n"


def read_host_resolv_conf(path: str = HOST_RESOLV_CONF) -> str:
    """The host's resolv.conf, or nothing when it has none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


class Resolvers:
    """The servers to ask: those given, else those of the host's resolv.conf as it is at the moment of asking."""

    def __init__(self, servers: Sequence[str] = (), path: str = HOST_RESOLV_CONF) -> None:
        self._fixed = _to_targets(servers)
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._targets: list[Target] = []

    def targets(self) -> list[Target]:
        """The servers in their order, as addresses of port 53."""
        if self._fixed:
            return self._fixed
        try:
            status = os.stat(self._path)
            current = (status.st_ino, status.st_mtime_ns, status.st_size)
        except OSError:
            current = (0, 0, 0)
        if current != self._seen:
            self._seen = current
            text = read_host_resolv_conf(self._path)
            self._targets = _to_targets(_first_words(text, "nameserver")) or _to_targets(_DEFAULT_SERVERS)
        return self._targets


class DnsForwarder:
    """Answers the queries that arrive on a UDP socket with what the resolvers say; asks the next when one is silent.

    Every query travels from a socket of its own, so its source port is the kernel's random choice. When no server
    answers, the client is told so (SERVFAIL) and need not wait.
    """

    def __init__(self, loop: Loop, descriptor: int, resolvers: Resolvers) -> None:
        self._loop = loop
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        self._resolvers = resolvers
        self._pending: set[_Query] = set()
        loop.watch(descriptor, READABLE, self._accept_queries)

    def close(self) -> None:
        """Stop answering and close the socket."""
        for query in list(self._pending):
            query.close()
        self._pending.clear()
        self._loop.unwatch(self._socket.fileno())
        self._socket.close()

    def answer(self, query: "_Query", message: bytes) -> None:
        """Send the answer to whoever asked, and forget the query."""
        self._pending.discard(query)
        try:
            self._socket.sendto(message, query.client)
        except OSError:
            return  # the client has gone, or its buffer is full: datagrams may be lost

    def _accept_queries(self, _events: int) -> None:
        for _ in range(_QUERIES_PER_TURN):
            try:
                message, client = self._socket.recvfrom(_MAX_DATAGRAM)
            except OSError:
                return
            if len(message) >= _HEADER_SIZE and len(self._pending) < _MAX_PENDING:
                query = _Query(self._loop, self, message, client)
                self._pending.add(query)
                query.ask(self._resolvers.targets())


class _Query:
    """One question on its way to the first server that answers it."""

    def __init__(self, loop: Loop, forwarder: DnsForwarder, message: bytes, client: Any) -> None:
        self.client = client
        self._loop = loop
        self._forwarder = forwarder
        self._message = message
        self._remaining: list[Target] = []
        self._socket: socket.socket | None = None
        self._timer: Timer | None = None

    def ask(self, servers: list[Target]) -> None:
        self._remaining = list(servers)
        self._ask_next()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is not None:
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _ask_next(self) -> None:
        self.close()
        while self._remaining:
            if self._send_to(self._remaining.pop(0)):
                self._timer = self._loop.call_later(_SECONDS_PER_SERVER, self._ask_next)
                return
        self._forwarder.answer(self, _failure_answer(self._message))

    def _send_to(self, server: Target) -> bool:
        try:
            self._socket = socket.socket(server.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            self._socket.connect(server.address)
            self._loop.watch(self._socket.fileno(), READABLE, self._receive)
            self._socket.send(self._message)
        except OSError:
            self.close()
            return False
        return True

    def _receive(self, _events: int) -> None:
        assert self._socket is not None
        try:
            message = self._socket.recv(_MAX_DATAGRAM)
        except OSError as error:
            if error.errno != errno.EAGAIN:
                self._ask_next()
            return
        if len(message) >= _HEADER_SIZE and message[:2] == self._message[:2]:
            self.close()
            self._forwarder.answer(self, message)


def _failure_answer(query: bytes) -> bytes:
    """The query turned into an answer that says the server failed (RFC 1035, 4.1.1)."""
    opcode_and_recursion = query[2] & 0b0111_1001
    return query[:2] + bytes([0x80 | opcode_and_recursion, 0x80 | _SERVFAIL]) + query[4:]


def _to_targets(servers: Sequence[str]) -> list[Target]:
    return [target for server in servers if (target := _to_target(server)) is not None]


def _to_target(server: str) -> Target | None:
    """The address of port 53 of a server; None for what is no numeric address, as the C library does."""
    try:
        # Bytes, not text: for text the socket module would load the tables of international domain names.
        found = socket.getaddrinfo(server.encode(), DNS_PORT, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return None
    family, _, _, _, address = found[0]
    return Target(family, address)


def _keyword_lines(text: str, keywords: tuple[str, ...]) -> list[list[str]]:
    split = (line.split() for line in text.splitlines() if not line.startswith(("#", ";")))
    return [words[1:] for words in split if len(words) > 1 and words[0] in keywords]


def _first_words(text: str, keyword: str) -> list[str]:
    return [words[0] for words in _keyword_lines(text, (keyword,))]


def _last_words(text: str, keywords: tuple[str, ...]) -> list[str]:
    lines = _keyword_lines(text, keywords)
    return lines[-1] if lines else []


def _all_words(text: str, keyword: str) -> list[str]:
    return [word for words in _keyword_lines(text, (keyword,)) for word in words]
