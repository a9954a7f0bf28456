"""One repository of a registry: manifests, blobs and tags (distribution-spec, "Endpoints")."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple, cast
from urllib.parse import urlencode, urljoin

from labbox.errors import DigestMismatchError, RegistryError, UnsupportedError
from labbox.oci import media_types
from labbox.oci.digest import Digest
from labbox.oci.document import MAX_DOCUMENT_BYTES
from labbox.oci.manifest import Index, Manifest, parse_manifest
from labbox.registry.answer import Answer, AnswerError
from labbox.registry.session import Session

_ACCEPTED = ", ".join((*media_types.MANIFESTS, *media_types.INDEXES))
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"
_LIST_BYTES = 16 << 20
_PAGE = 1000
_MAXIMUM_PAGES = 1000


class FetchedManifest(NamedTuple):
    """A manifest as the registry has it, byte for byte."""

    digest: Digest
    data: bytes
    document: Manifest | Index


class Repository:
    """A repository (`path`: `library/debian`) on a registry."""

    def __init__(self, session: Session, path: str) -> None:
        self.session = session
        self.path = path
        self.url = f"/v2/{path}"
        self.pull_scope = f"repository:{path}:pull"
        self.push_scope = f"repository:{path}:pull,push"

    @property
    def name(self) -> str:
        """The name in full: `ghcr.io/org/tool`."""
        return f"{self.session.registry.domain}/{self.path}"

    def manifest(self, reference: str, *, expected: Digest | None = None) -> FetchedManifest:
        """The manifest of a tag or digest; DigestMismatchError when it is not the one that `expected` names."""
        what = f"manifest of `{self.name}`"
        target = f"{self.url}/manifests/{reference}"
        headers = {"Accept": _ACCEPTED}
        with self.session.open("GET", target, scopes=[self.pull_scope], headers=headers, what=what) as answer:
            if answer.header("Content-Type").startswith(_SCHEMA_1):
                raise UnsupportedError(
                    f"`{self.name}:{reference}` is an image of Docker schema 1",
                    hint="Push it again with a current tool: schema 1 ended in 2019.",
                )
            data = answer.read(MAX_DOCUMENT_BYTES)
            promised = answer.header("Docker-Content-Digest")
        digest = _digest_of(data, expected)
        if expected is not None and digest != expected:
            raise DigestMismatchError(f"`{self.name}@{expected}` has the digest `{digest}`: the registry lies")
        if expected is None and promised.startswith("sha256:") and promised != str(digest):
            raise DigestMismatchError(f"{what} has the digest `{digest}`, the registry says `{promised}`")
        return FetchedManifest(digest, data, parse_manifest(data, what))

    def put_manifest(self, reference: str, data: bytes, media_type: str) -> None:
        """Push a manifest under a tag or digest; its content must be there."""
        with self.session.open(
            "PUT",
            f"{self.url}/manifests/{reference}",
            scopes=[self.push_scope],
            headers={"Content-Type": media_type},
            body=data,
            expected=(200, 201, 202),
            what=f"push of `{self.name}:{reference}`",
        ) as answer:
            answer.read(_LIST_BYTES)

    def open_blob(self, digest: Digest, offset: int) -> Answer:
        """The answer to one attempt to fetch a blob from `offset` on: 200 (from the start), 206, or 416."""
        url = urljoin(self.session.base, f"{self.url}/blobs/{digest}")
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        what = f"blob `{digest}` of `{self.name}`"
        return self.session.send(
            "GET", url, scopes=[self.pull_scope], headers=headers, expected=(200, 206, 416), what=what
        )

    def has_blob(self, digest: Digest) -> bool:
        """True when the repository has the blob."""
        target = f"{self.url}/blobs/{digest}"
        with self.session.open("HEAD", target, scopes=[self.push_scope], expected=(200, 404)) as answer:
            answer.read(0)
            return answer.status == 200

    def mount(self, digest: Digest, source: str) -> bool:
        """Have a blob of another repository of this registry linked here; False when the registry does not."""
        query = urlencode({"mount": str(digest), "from": source})
        scopes = [self.push_scope, f"repository:{source}:pull"]
        try:
            with self.session.open(
                "POST", f"{self.url}/blobs/uploads/?{query}", scopes=scopes, body=b"", expected=(201, 202)
            ) as answer:
                answer.read(_LIST_BYTES)
                location = answer.header("Location")
                is_mounted = answer.status == 201
        except AnswerError as error:
            if error.status in (400, 401, 403, 404, 405):  # not allowed to read there: upload instead
                return False
            raise
        if not is_mounted and location:
            self._cancel(location)
        return is_mounted

    def tags(self) -> Iterator[str]:
        """Every tag."""
        return read_pages(self.session, f"{self.url}/tags/list", "tags", [self.pull_scope])

    def _cancel(self, location: str) -> None:
        """Give up an upload that a refused mount has begun; a registry that cannot is none the worse for it."""
        url = self.session.resolve(urljoin(self.session.base, self.url), location)
        try:
            with self.session.send("DELETE", url, scopes=[self.push_scope], expected=(200, 202, 204)) as answer:
                answer.read(_LIST_BYTES)
        except (RegistryError, OSError):
            return


def read_pages(session: Session, path: str, key: str, scopes: list[str]) -> Iterator[str]:
    """The names in a paged list; a registry that goes in circles ends it."""
    target, seen = f"{path}?n={_PAGE}", set[str]()
    for _ in range(_MAXIMUM_PAGES):
        with session.open("GET", target, scopes=scopes) as answer:
            names = _parse_names(answer.read(_LIST_BYTES), key)
            following = _next_link(answer.header("Link"))
            url = answer.url
        fresh = [name for name in names if name not in seen]
        yield from fresh
        seen.update(fresh)
        if not following or not fresh:
            return
        target = session.resolve(url, following)


def _parse_names(body: bytes, key: str) -> list[str]:
    try:
        names = json.loads(body).get(key) or []
    except (ValueError, AttributeError) as error:
        raise RegistryError(f"the registry's list of {key} cannot be read: {error}") from error
    return [name for name in cast("list[Any]", names) if isinstance(name, str)]


def _next_link(header: str) -> str:
    """The target of `<…>; rel="next"` (RFC 8288)."""
    target, _, rest = header.partition(">")
    return target.lstrip(" <") if "next" in rest and target.lstrip().startswith("<") else ""


def _digest_of(data: bytes, expected: Digest | None) -> Digest:

    algorithm = expected.algorithm if expected is not None else "sha256"
    return Digest(algorithm, hashlib.new(algorithm, data).hexdigest())
