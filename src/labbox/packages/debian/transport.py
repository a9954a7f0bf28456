"""HTTP for archives: connections kept alive per thread, redirects, proxies, the system's certificates.

The standard library only. Proxies are those of `http_proxy`, `https_proxy` and `no_proxy`; certificates those of
OpenSSL's defaults, which `SSL_CERT_FILE` and `SSL_CERT_DIR` move.
"""

import base64
import http.client
import ssl
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from labbox.errors import DownloadError

_USER_AGENT = "labbox/0.1"
_TIMEOUT_SECONDS = 20.0
_MAXIMUM_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class StatusError(DownloadError):
    """A server answered with another status than the wanted one."""

    def __init__(self, url: str, status: int, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"`{url}` answered {status} {reason}")
        self.status = status
        self.retry_after = retry_after


class _Endpoint(NamedTuple):
    scheme: str
    host: str
    port: int
    proxy: str | None


class Transport:
    """Requests over kept-alive connections; each thread has its own."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._proxies = urllib.request.getproxies_environment()
        self._tls: ssl.SSLContext | None = None
        self._tls_lock = threading.Lock()

    @contextmanager
    def get(self, url: str, *, offset: int = 0) -> Iterator[http.client.HTTPResponse]:
        """The answer to GET, status 200 (or 206 when bytes from `offset` on were asked for and are sent).

        Raises StatusError for any other status, OSError or http.client.HTTPException when there is no answer.
        """
        endpoint, response = self._request(url, offset)
        try:
            if response.status not in (200, 206):
                raise StatusError(url, response.status, response.reason, retry_after=_retry_after(response))
            yield response
        finally:
            if not response.isclosed():  # unread bytes are on the wire: the connection cannot be used again
                self._drop(endpoint)

    def read(self, url: str, *, limit: int) -> bytes:
        """The whole body of a small answer; DownloadError when it is larger than `limit` bytes."""
        with self.get(url) as response:
            body = response.read(limit + 1)
            if len(body) > limit:
                raise DownloadError(f"`{url}` is larger than {limit} bytes")
            return body

    def close(self) -> None:
        """Close the connections of the calling thread."""
        for endpoint in list(self._connections()):
            self._drop(endpoint)

    def _request(self, url: str, offset: int) -> tuple[_Endpoint, http.client.HTTPResponse]:
        for _ in range(_MAXIMUM_REDIRECTS + 1):
            endpoint, target, headers = self._plan(url, offset)
            response = self._send(endpoint, target, headers)
            location = response.getheader("Location")
            if response.status not in _REDIRECTS or location is None:
                return endpoint, response
            response.read()
            url = urllib.parse.urljoin(url, location)
        raise DownloadError(f"`{url}` redirects too often")

    def _plan(self, url: str, offset: int) -> tuple[_Endpoint, str, dict[str, str]]:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise DownloadError(f"cannot fetch `{url}`: only http and https are understood")
        headers = {"User-Agent": _USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        if parts.username:
            headers["Authorization"] = _basic(parts.username, parts.password)
        target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
        proxy = self._proxies.get(parts.scheme)
        if proxy and urllib.request.proxy_bypass_environment(host, self._proxies):  # type: ignore[attr-defined]
            proxy = None
        if proxy and parts.scheme == "http":
            target = urllib.parse.urlunsplit(("http", host, parts.path or "/", parts.query, ""))
            headers.update(_proxy_headers(proxy))
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return _Endpoint(parts.scheme, parts.hostname, port, proxy), target, headers

    def _send(self, endpoint: _Endpoint, target: str, headers: dict[str, str]) -> http.client.HTTPResponse:
        """Send on the kept connection; when the server had closed it meanwhile, once more on a new one."""
        connections = self._connections()
        is_reused = endpoint in connections
        connection = connections.get(endpoint) or self._connect(endpoint)
        connections[endpoint] = connection
        try:
            connection.request("GET", target, headers=headers)
            return connection.getresponse()
        except (http.client.HTTPException, OSError):
            self._drop(endpoint)
            if not is_reused:
                raise
        return self._send(endpoint, target, headers)

    def _connect(self, endpoint: _Endpoint) -> http.client.HTTPConnection:
        if endpoint.scheme == "https":
            return self._connect_tls(endpoint)
        host, port = endpoint.host, endpoint.port
        if endpoint.proxy:
            host, port = _proxy_address(endpoint.proxy)
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)

    def _connect_tls(self, endpoint: _Endpoint) -> http.client.HTTPConnection:
        with self._tls_lock:
            if self._tls is None:
                self._tls = ssl.create_default_context()
        if not endpoint.proxy:
            return http.client.HTTPSConnection(
                endpoint.host, endpoint.port, timeout=_TIMEOUT_SECONDS, context=self._tls
            )
        host, port = _proxy_address(endpoint.proxy)
        connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_SECONDS, context=self._tls)
        connection.set_tunnel(endpoint.host, endpoint.port, headers=_proxy_headers(endpoint.proxy))
        return connection

    def _drop(self, endpoint: _Endpoint) -> None:
        connection = self._connections().pop(endpoint, None)
        if connection is not None:
            connection.close()

    def _connections(self) -> dict[_Endpoint, http.client.HTTPConnection]:
        connections: dict[_Endpoint, http.client.HTTPConnection] | None = getattr(self._local, "connections", None)
        if connections is None:
            connections = self._local.connections = {}
        return connections


def _proxy_address(proxy: str) -> tuple[str, int]:
    parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return parts.hostname or "", parts.port or 80


def _proxy_headers(proxy: str) -> dict[str, str]:
    parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return {"Proxy-Authorization": _basic(parts.username, parts.password)} if parts.username else {}


def _basic(username: str, password: str | None) -> str:
    pair = f"{urllib.parse.unquote(username)}:{urllib.parse.unquote(password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _retry_after(response: http.client.HTTPResponse) -> float | None:
    value = response.getheader("Retry-After") or ""
    return float(value) if value.isdigit() else None
