"""When to try an address again, how long to wait before, and when to leave a server alone."""

import http.client
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import TypeVar
from urllib.parse import urlsplit

from labbox.errors import DownloadError
from labbox.packages.transport import StatusError

_ATTEMPTS = 4
_ATTEMPTS_WITHOUT_ANSWER = 2  # each has waited for the whole time limit
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 60.0
# These speak of the server's state, not of the file (RFC 9110 §15.6, RFC 6585 §4).
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})

Result = TypeVar("Result")


class Patience:
    """Tries again what may pass; remembers servers that cannot be reached; keeps to a number of requests at once."""

    def __init__(self, *, limits: Mapping[str, int] | None = None, wait_factor: float = 1.0) -> None:
        self._gates = {host: threading.BoundedSemaphore(count) for host, count in (limits or {}).items()}
        self._unreachable: dict[str, str] = {}
        self._first_wait = wait_factor * _FIRST_WAIT_SECONDS

    def first_success(self, addresses: Iterable[str], attempt: Callable[[str], Result], *, label: str) -> Result:
        """The result of `attempt` with the first address that gives one; DownloadError lists all that were tried."""
        faults: list[str] = []
        for url in addresses:
            try:
                return self._try_address(url, attempt)
            except DownloadError as error:
                faults.append(error.message)
        message = f"cannot fetch `{label}`: " + ("; ".join(faults) or "no address is known")
        raise DownloadError(message, hint="Check the network, or set a mirror with LABBOX_DEBIAN_MIRROR.")

    def _try_address(self, url: str, attempt: Callable[[str], Result]) -> Result:
        host = urlsplit(url).netloc
        wait = self._first_wait
        for number in range(1, _ATTEMPTS + 1):
            if host in self._unreachable:
                raise DownloadError(f"`{url}` cannot be reached: {self._unreachable[host]}")
            try:
                with self._gates.get(host) or nullcontext():
                    return attempt(url)
            except StatusError as error:
                if error.status not in _TRANSIENT or number == _ATTEMPTS:
                    raise
                pause = max(wait, error.retry_after or 0.0)
            except (OSError, http.client.HTTPException) as error:
                limit = _ATTEMPTS_WITHOUT_ANSWER if isinstance(error, TimeoutError) else _ATTEMPTS
                if _is_hopeless(error) or number >= limit:
                    self._remember_unreachable(host, error)
                    raise DownloadError(f"`{url}` cannot be fetched: {error or type(error).__name__}") from error
                pause = wait
            # Half the wait is by chance, so that parallel requests do not come back all at once.
            time.sleep(min(pause, _LONGEST_WAIT_SECONDS) * random.uniform(0.5, 1.0))  # noqa: S311  (not a secret)
            wait *= 2
        raise AssertionError(url)

    def _remember_unreachable(self, host: str, error: Exception) -> None:
        """Later files skip a server whose name or port does not exist, instead of waiting for it each time."""
        if _is_hopeless(error) or isinstance(error, TimeoutError):
            self._unreachable[host] = str(error) or type(error).__name__


def _is_hopeless(error: Exception) -> bool:
    return isinstance(error, (socket.gaierror, ConnectionRefusedError, ssl.SSLCertVerificationError))
