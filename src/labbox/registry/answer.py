"""A registry's answer: status, headers and body; and what it says when it refuses."""

import email.utils
import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from labbox.errors import RegistryError

_ERROR_BYTES = 64 << 10
# These speak of the server's state, not of the request (RFC 9110 §15.6, RFC 6585 §4).
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


class Fault(NamedTuple):
    """One entry of the error document (distribution-spec, "Error Codes")."""

    code: str
    message: str


class AnswerError(RegistryError):
    """A registry answered with a status that is no success."""

    def __init__(self, what: str, status: int, faults: tuple[Fault, ...], *, retry_after: float | None = None) -> None:
        text = "; ".join(f"{fault.code}: {fault.message}" if fault.code else fault.message for fault in faults)
        super().__init__(f"{what}: {status} {http.client.responses.get(status, '')}{f': {text}' if text else ''}")
        self.status = status
        self.faults = faults
        self.retry_after = retry_after

    @property
    def text(self) -> str:
        """What the registry said, in docker's words."""
        return "; ".join(f"{fault.code.replace('_', ' ').lower()}: {fault.message}" for fault in self.faults)

    def says(self, *codes: str) -> bool:
        """True when one of these codes is among the faults."""
        return any(fault.code in codes for fault in self.faults)


class Answer:
    """An open answer; a context manager that gives its connection back."""

    def __init__(self, url: str, response: http.client.HTTPResponse, release: Any) -> None:
        self.url = url
        self.status = response.status
        self._response = response
        self._release = release

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    def header(self, name: str) -> str:
        """A header's value, empty when there is none."""
        return self._response.getheader(name) or ""

    def headers(self, name: str) -> list[str]:
        """Every value of a header."""
        return self._response.headers.get_all(name) or []

    def read(self, limit: int) -> bytes:
        """The whole body; RegistryError when it is longer than `limit`."""
        body = self._response.read(limit + 1)
        if len(body) > limit:
            raise RegistryError(f"`{self.url}` answers with more than {limit} bytes")
        return body

    def pieces(self, size: int) -> Iterator[bytes]:
        """The body as it arrives; raises http.client.IncompleteRead when it ends early."""
        while data := self._response.read1(size):
            yield data
        if self._response.length:
            raise http.client.IncompleteRead(b"", self._response.length)

    def error(self, what: str) -> AnswerError:
        """What the registry says, as an error."""
        return AnswerError(
            what, self.status, _parse_faults(self._response.read(_ERROR_BYTES)), retry_after=self.retry_after()
        )

    def retry_after(self) -> float | None:
        """Seconds to wait before the next attempt, when the server says so (RFC 9110 §10.2.3)."""
        value = self.header("Retry-After")
        if value.isdigit():
            return float(value)
        try:
            moment = email.utils.parsedate_to_datetime(value)
        except (TypeError, ValueError):
            return None
        return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _parse_faults(body: bytes) -> tuple[Fault, ...]:
    try:
        document = json.loads(body)
        return tuple(Fault(_text(entry, "code"), _text(entry, "message")) for entry in document["errors"])
    except (ValueError, KeyError, TypeError, AttributeError):
        text = body[:200].decode("utf-8", "replace").strip()
        return (Fault("", text),) if text and not text.startswith("<") else ()


def _text(entry: Any, key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""
