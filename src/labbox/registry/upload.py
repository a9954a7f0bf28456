"""Blobs pushed to a repository: one streamed PUT; after a cut the rest in pieces that every registry takes."""

import http.client
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from labbox.errors import DigestMismatchError, RegistryError
from labbox.oci.descriptor import Descriptor
from labbox.registry.answer import Answer, AnswerError
from labbox.registry.repository import Repository
from labbox.registry.waiting import ATTEMPTS

_RESUME_BYTES = (4 << 20) - 1  # larger requests are refused by one registry in use
_BODY_LIMIT = 1 << 20
_OCTETS = {"Content-Type": "application/octet-stream"}
# the login has run out | the upload has: both begin anew
_RENEWABLE = frozenset({401, 404, 416})

Progress = Callable[[int], object]
# Opens the blob from its start: pieces of any size.
OpenSource = Callable[[], AbstractContextManager[Iterable[bytes]]]


class Uploader:
    """Pushes blobs to a repository. `go_on` is asked now and then; what it raises ends the transfer."""

    def __init__(self, repository: Repository, go_on: Callable[[], None]) -> None:
        self._repository = repository
        self._session = repository.session
        self._scopes = [repository.push_scope]
        self._go_on = go_on

    def push(self, blob: Descriptor, open_source: OpenSource, progress: Progress) -> None:
        """Have the blob in the repository; RegistryError when it is not taken, and what the source raises."""
        location, offset, attempt = self._begin(), 0, 0
        while True:
            try:
                with open_source() as pieces:
                    self._send(blob, pieces, location, offset, progress)
            except (AnswerError, OSError, http.client.HTTPException) as error:
                if not (isinstance(error, AnswerError) and error.status in _RENEWABLE and attempt + 1 < ATTEMPTS):
                    self._session.waiting.pause_or_raise(error, attempt, self._session.registry.host)
                location, reached = self._take_up(location)
                attempt = 0 if reached > offset else attempt + 1
                offset = reached
            else:
                return

    def _begin(self) -> str:
        """The address of a new upload."""
        with self._session.open(
            "POST",
            f"{self._repository.url}/blobs/uploads/",
            scopes=self._scopes,
            body=b"",
            expected=(202,),
            what=f"push to `{self._repository.name}`",
        ) as answer:
            return self._location(answer)

    def _take_up(self, location: str) -> tuple[str, int]:
        """Where an upload that was cut goes on, and from which byte; a new one when it is gone."""
        try:
            with self._session.open("GET", location, scopes=self._scopes, expected=(204,)) as answer:
                end = answer.header("Range").removeprefix("bytes=").partition("-")[2]
                location = self._location(answer)
        except RegistryError:
            return self._begin(), 0
        # "0-0" is no byte or one: none is safe
        return (location, int(end) + 1) if end.isdigit() and int(end) else (self._begin(), 0)

    def _send(self, blob: Descriptor, pieces: Iterable[bytes], location: str, offset: int, progress: Progress) -> None:
        source = self._guarded(blob, pieces, progress)
        if not offset:
            length = {"Content-Length": str(blob.size_bytes)}
            self._close(blob, location, source if blob.size_bytes else b"", length)
            return
        for piece in _cut(source, offset, blob.size_bytes):
            headers = {
                **_OCTETS,
                "Content-Length": str(len(piece)),
                "Content-Range": f"{offset}-{offset + len(piece) - 1}",
            }
            with self._session.send(
                "PATCH", location, scopes=self._scopes, headers=headers, body=piece, expected=(202,)
            ) as answer:
                location = self._location(answer)
            offset += len(piece)
        self._close(blob, location, b"", {})

    def _close(self, blob: Descriptor, location: str, body: bytes | Iterable[bytes], headers: dict[str, str]) -> None:
        parts = urlsplit(location)
        query = "&".join(filter(None, (parts.query, urlencode({"digest": str(blob.digest)}))))
        with self._session.send(
            "PUT",
            urlunsplit(parts._replace(query=query)),
            scopes=self._scopes,
            headers={**_OCTETS, **headers},
            body=body,
            expected=(200, 201, 204),
            what=f"push of blob `{blob.digest}` to `{self._repository.name}`",
        ) as answer:
            answer.read(_BODY_LIMIT)

    def _location(self, answer: Answer) -> str:
        """The address that an upload goes on at: it may change with every answer, and be relative."""
        answer.read(_BODY_LIMIT)
        location = answer.header("Location")
        if not location:
            raise RegistryError(f"registry `{self._session.registry.domain}` does not say where to upload to")
        return self._session.resolve(urljoin(self._session.base, answer.url), location)

    def _guarded(self, blob: Descriptor, pieces: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
        """The source's pieces; an error when they are not as many bytes as the manifest says."""
        sent = 0
        for piece in pieces:
            self._go_on()
            sent += len(piece)
            if sent > blob.size_bytes:
                break
            yield piece
            progress(sent)
        if sent != blob.size_bytes:
            raise DigestMismatchError(
                f"layer archive `{blob.digest}` comes out with another length than {blob.size_bytes} bytes",
                hint="build or pull the image again",
            )


def _cut(pieces: Iterable[bytes], offset: int, end: int) -> Iterator[bytes]:
    """What comes after `offset`, in pieces of one size."""
    position, pending = 0, bytearray()
    for piece in pieces:
        start = max(0, offset - position)
        position += len(piece)
        pending += piece[start:]
        while len(pending) >= _RESUME_BYTES:
            yield bytes(pending[:_RESUME_BYTES])
            del pending[:_RESUME_BYTES]
    if pending and position == end:
        yield bytes(pending)
