"""Connections that are kept alive, over TLS or plain, through the proxies of the environment. No redirects, no logins.

Proxies are those of `http_proxy`, `https_proxy` and `no_proxy`, never for loopback; certificates those of OpenSSL's
defaults, which `SSL_CERT_FILE` and `SSL_CERT_DIR` move.
"""

import base64
import http.client
import ssl
import threading
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from labbox.errors import RegistryError
from labbox.registry.address import Origin, is_loopback, origin_of
from labbox.registry.answer import Answer

TIMEOUT_SECONDS = 30.0  # without a byte
_PIECE_BYTES = 1 << 18

Body = bytes | Iterable[bytes] | None


class Connections:
    """Requests over kept connections; threads may share it. `is_insecure` accepts any certificate."""

    def __init__(self, *, is_insecure: bool = False) -> None:
        self._is_insecure = is_insecure
        self._proxies = urllib.request.getproxies_environment()
        self._lock = threading.Lock()
        self._idle: dict[Origin, list[http.client.HTTPConnection]] = {}
        self._tls: ssl.SSLContext | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.close()

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Body = None) -> Answer:
        """The answer to one request. Raises OSError or http.client.HTTPException when there is none.

        A body that is no bytes is sent once: say its Content-Length.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RegistryError(f"cannot ask `{url}`: only http and https are understood")
        origin = origin_of(url)
        target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        proxy = self._proxy_for(parts)
        all_headers = {"Accept-Encoding": "identity", **headers}
        if proxy and parts.scheme == "http":
            target = urlunsplit(("http", parts.netloc, parts.path or "/", parts.query, ""))
            all_headers.update(_proxy_headers(proxy))
        connection, response = self._exchange(method, origin, proxy, target, all_headers, body)

        def release() -> None:
            self._give_back(origin, connection, response)

        return Answer(url, response, release)

    def _exchange(
        self,
        method: str,
        origin: Origin,
        proxy: str | None,
        target: str,
        headers: Mapping[str, str],
        body: Body,
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Send on a kept connection; when the server has closed it meanwhile, in the end on a new one."""
        while True:
            with self._lock:
                kept = self._idle.get(origin)
                connection = kept.pop() if kept else None
            is_new = connection is None
            connection = connection or self._connect(origin, proxy)
            try:
                return connection, _request(connection, method, target, headers, body)
            except BaseException as error:
                connection.close()
                is_stale = not is_new and isinstance(error, (http.client.HTTPException, OSError))
                if not is_stale or not (body is None or isinstance(body, bytes)):
                    raise

    def _give_back(
        self, origin: Origin, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> None:
        """Keep the connection when the whole answer was read, else close it."""
        if response.isclosed() and connection.sock is not None:
            with self._lock:
                self._idle.setdefault(origin, []).append(connection)
        else:
            response.close()
            connection.close()

    def _connect(self, origin: Origin, proxy: str | None) -> http.client.HTTPConnection:
        host, port = _proxy_address(proxy) if proxy else (origin.host, origin.port)
        if origin.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS, blocksize=_PIECE_BYTES)
        connection = http.client.HTTPSConnection(
            host, port, timeout=TIMEOUT_SECONDS, blocksize=_PIECE_BYTES, context=self._tls_context()
        )
        if proxy:
            connection.set_tunnel(origin.host, origin.port, headers=_proxy_headers(proxy))
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                self._tls = ssl.create_default_context()
                if self._is_insecure:
                    self._tls.check_hostname = False
                    self._tls.verify_mode = ssl.CERT_NONE
            return self._tls

    def _proxy_for(self, parts: SplitResult) -> str | None:
        if is_loopback(parts.hostname or ""):
            return None
        proxy = self._proxies.get(parts.scheme)
        host = parts.netloc.rpartition("@")[2]
        if proxy and urllib.request.proxy_bypass_environment(host, self._proxies):  # type: ignore[attr-defined]
            return None
        return proxy


def _request(
    connection: http.client.HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: Body
) -> http.client.HTTPResponse:
    """One exchange; an answer that comes before the whole body was taken counts."""
    try:
        connection.request(method, target, body=body, headers=headers)
    except (BrokenPipeError, ConnectionResetError):
        if body is None or connection.sock is None:
            raise
        return _early_response(connection)
    return connection.getresponse()


def _early_response(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
    """What a server said before it stopped listening (a 401 to an upload); the connection is of no further use."""
    socket = connection.sock
    response = connection.getresponse()
    if connection.sock is not None:
        socket.close()  # in truth when the response is closed
        connection.sock = None
    return response


def _proxy_address(proxy: str) -> tuple[str, int]:
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return parts.hostname or "", parts.port or 80


def _proxy_headers(proxy: str) -> dict[str, str]:
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return (
        {"Proxy-Authorization": basic(unquote(parts.username), unquote(parts.password or ""))} if parts.username else {}
    )


def basic(username: str, password: str) -> str:
    """The Authorization header of a user and a password (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
