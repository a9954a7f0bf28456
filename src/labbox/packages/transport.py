"""HTTP for archives: connections kept alive, redirects, proxies, the system's certificates.

The standard library only. Proxies are those of `http_proxy`, `https_proxy` and `no_proxy`; certificates those of
OpenSSL's defaults, which `SSL_CERT_FILE` and `SSL_CERT_DIR` move.
"""

import base64
import http.client
import ssl
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, Self

from labbox.errors import DownloadError

_USER_AGENT = "labbox/0.1"
_TIMEOUT_SECONDS = 20.0
_MAXIMUM_REDIRECTS = 5
_WITHOUT_HEAD = frozenset({403, 405, 501})  # signed addresses are often good for GET alone
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
    """Requests over connections that are kept alive until `close`; threads may share it."""

    def __init__(self, *, logins: Mapping[str, str] | None = None) -> None:
        """With `logins` a user and password (`user:password`, as in an address) for hosts that ask for one."""
        self._logins = dict(logins or {})
        self._proxies = urllib.request.getproxies_environment()
        self._tls: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._idle: dict[_Endpoint, list[http.client.HTTPConnection]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.close()

    @contextmanager
    def get(self, url: str, *, offset: int = 0) -> Iterator[http.client.HTTPResponse]:
        """The answer to GET, status 200 (or 206 when bytes from `offset` on were asked for and are sent).

        Raises StatusError for any other status, OSError or http.client.HTTPException when there is no answer.
        """
        with self._follow("GET", url, offset) as response:
            yield response

    def size_of(self, url: str) -> int:
        """How many bytes GET would send, by HEAD, or by GET where a server refuses HEAD; DownloadError when unsaid."""
        try:
            with self._follow("HEAD", url, 0) as response:
                length = response.getheader("Content-Length") or ""
                response.read()
        except StatusError as error:
            if error.status not in _WITHOUT_HEAD:
                raise
            length = ""
        if not length.isdigit():
            with self.get(url) as response:
                length = response.getheader("Content-Length") or ""
        if not length.isdigit():
            raise DownloadError(f"`{url}` does not say how large it is")
        return int(length)

    def read(self, url: str, *, limit: int) -> bytes:
        """The whole body of a small answer; DownloadError when it is larger than `limit` bytes."""
        with self.get(url) as response:
            body = response.read(limit + 1)
            if len(body) > limit:
                raise DownloadError(f"`{url}` is larger than {limit} bytes")
            return body

    @contextmanager
    def _follow(self, method: str, url: str, offset: int) -> Iterator[http.client.HTTPResponse]:
        """The answer to a request after all redirects; what `get` raises."""
        for _ in range(_MAXIMUM_REDIRECTS + 1):
            with self._request(method, url, offset) as response:
                location = response.getheader("Location")
                if response.status in _REDIRECTS and location is not None:
                    response.read()
                    url = urllib.parse.urljoin(url, location)
                    continue
                if response.status not in (200, 206):
                    raise StatusError(url, response.status, response.reason, retry_after=_retry_after(response))
                yield response
                return
        raise DownloadError(f"`{url}` redirects too often")

    @contextmanager
    def _request(self, method: str, url: str, offset: int) -> Iterator[http.client.HTTPResponse]:
        """One answer; its connection is kept when the whole body was read, else closed."""
        endpoint, target, headers = self._plan(url, offset)
        connection, response = self._send(method, endpoint, target, headers)
        try:
            yield response
        finally:
            if response.isclosed() and connection.sock is not None:
                with self._lock:
                    self._idle.setdefault(endpoint, []).append(connection)
            else:  # unread bytes are on the wire, or the server hung up
                response.close()
                connection.close()

    def _plan(self, url: str, offset: int) -> tuple[_Endpoint, str, dict[str, str]]:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise DownloadError(f"cannot fetch `{url}`: only http and https are understood")
        headers = {"User-Agent": _USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        login = parts.netloc.rpartition("@")[0] or self._logins.get(parts.netloc, "")
        if login:
            user, _, password = login.partition(":")
            headers["Authorization"] = _basic(user, password)
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

    def _send(
        self, method: str, endpoint: _Endpoint, target: str, headers: dict[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Send on a kept connection; when the server has closed it meanwhile, on the next, in the end on a new one."""
        while True:
            with self._lock:
                kept = self._idle.get(endpoint)
                connection = kept.pop() if kept else None
            is_new = connection is None
            connection = connection or self._connect(endpoint)
            try:
                connection.request(method, target, headers=headers)
                return connection, connection.getresponse()
            except (http.client.HTTPException, OSError):
                connection.close()
                if is_new:
                    raise

    def _connect(self, endpoint: _Endpoint) -> http.client.HTTPConnection:
        if endpoint.scheme == "https":
            return self._connect_tls(endpoint)
        host, port = endpoint.host, endpoint.port
        if endpoint.proxy:
            host, port = _proxy_address(endpoint.proxy)
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)

    def _connect_tls(self, endpoint: _Endpoint) -> http.client.HTTPConnection:
        with self._lock:
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


def without_login(url: str) -> str:
    """An address without the user and password in it, as it may be shown and written down."""
    parts = urllib.parse.urlsplit(url)
    return (
        urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else url
    )


def find_logins(urls: Iterable[str]) -> dict[str, str]:
    """The users and passwords in addresses, by host (with its port)."""
    netlocs = [urllib.parse.urlsplit(url).netloc.rpartition("@") for url in urls]
    return {host: login for login, _, host in netlocs if login}


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
