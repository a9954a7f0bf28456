"""When a request is worth another attempt, and how long to wait before it."""

import http.client
import random
import socket
import ssl
import time
from collections.abc import Callable
from typing import TypeVar

from labbox.errors import RegistryError
from labbox.registry.answer import TRANSIENT, AnswerError

ATTEMPTS = 5
_ATTEMPTS_WITHOUT_ANSWER = 2  # each has waited for the whole time limit
_FIRST_SECONDS = 0.25
_LONGEST_SECONDS = 60.0

_Result = TypeVar("_Result")


class Waiting:
    """Bounded patience. `Retry-After` is honoured up to a minute; a server that wants longer is given up."""

    def __init__(self, *, factor: float = 1.0) -> None:
        self._factor = factor

    def persist(self, attempt: Callable[[], _Result], what: str) -> _Result:
        """What `attempt` gives in the end; RegistryError when it does not come to be."""
        for number in range(ATTEMPTS):
            try:
                return attempt()
            except (AnswerError, OSError, http.client.HTTPException) as error:
                self.pause_or_raise(error, number, what)
        raise AssertionError(what)

    def pause_or_raise(self, error: Exception, number: int, what: str) -> None:
        """Wait before the attempt after the one of this number (from 0), or raise what ends the attempts."""
        if not is_worth_another(error, number):
            if isinstance(error, RegistryError):
                raise error
            raise unreachable(what, error) from error
        wait = self._factor * _FIRST_SECONDS * 2**number
        if isinstance(error, AnswerError) and error.retry_after is not None:
            wait = max(wait, error.retry_after)
            if wait > _LONGEST_SECONDS:
                error.hint = f"The server wants to be asked again in {wait:.0f} seconds."
                raise error
        # Half the wait is by chance, so that parallel requests do not come back all at once.
        time.sleep(wait * random.uniform(1.0, 1.5))  # noqa: S311  (not a secret)


def is_worth_another(error: Exception, number: int) -> bool:
    """True when the next attempt may end better than this one, of this number from 0."""
    if isinstance(error, AnswerError):
        return error.status in TRANSIENT and number + 1 < ATTEMPTS
    if isinstance(error, (socket.gaierror, ConnectionRefusedError, ssl.SSLError)):
        return False
    limit = _ATTEMPTS_WITHOUT_ANSWER if isinstance(error, TimeoutError) else ATTEMPTS
    return number + 1 < limit


def unreachable(what: str, error: Exception) -> RegistryError:
    """The error of a server that gives no answer."""
    hint = None
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "Name the file with the authority's certificate in SSL_CERT_FILE, or use --insecure."
    elif isinstance(error, ssl.SSLError):
        hint = "A registry without TLS is spoken to with --insecure only."
    return RegistryError(f"cannot reach `{what}`: {error or type(error).__name__}", hint=hint)
