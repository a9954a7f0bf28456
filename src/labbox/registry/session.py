"""Requests to one registry: with its login, over redirects, again when it is busy.

Whatever a server says, Authorization goes to the registry's own origin and nowhere else.
"""

import http.client
import ssl
from collections.abc import Collection, Mapping
from typing import Self
from urllib.parse import urljoin, urlsplit

from labbox.errors import RegistryError
from labbox.registry.address import Origin, RegistryAddress, origin_of
from labbox.registry.answer import Answer, AnswerError
from labbox.registry.authority import Authority
from labbox.registry.challenge import parse_challenges
from labbox.registry.connections import Body, Connections
from labbox.registry.credentials import Login
from labbox.registry.waiting import Waiting

USER_AGENT = "labbox/0.1"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAXIMUM_REDIRECTS = 5


class Session:
    """A conversation with one registry; threads may share it. A context manager that closes its connections."""

    def __init__(self, registry: RegistryAddress, login: Login | None = None, waiting: Waiting | None = None) -> None:
        self.registry = registry
        self.waiting = waiting or Waiting()
        self.connections = Connections(is_insecure=registry.is_insecure)
        self.authority = Authority(registry, login, self.connections, self.waiting)
        self._base = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connections.__exit__()

    @property
    def base(self) -> str:
        """The registry's address with its scheme: plain http only where it may be, and where TLS is not spoken."""
        if not self._base:
            self._base = f"{self._find_scheme()}://{self.registry.host}"
        return self._base

    def open(
        self,
        method: str,
        target: str,
        *,
        scopes: Collection[str] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        expected: Collection[int] = (200,),
        what: str = "",
    ) -> Answer:
        """The answer to a request (`target`: a path, or an address), tried again as long as that helps.

        Raises AnswerError for a status that is not expected, RegistryError when there is no answer.
        """
        url = urljoin(self.base, target)

        def attempt() -> Answer:
            return self.send(method, url, scopes=scopes, headers=headers, body=body, expected=expected, what=what)

        return self.waiting.persist(attempt, urlsplit(url).netloc)

    def send(
        self,
        method: str,
        url: str,
        *,
        scopes: Collection[str] = (),
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        expected: Collection[int] = (200,),
        what: str = "",
    ) -> Answer:
        """One attempt, with its redirects; a 401 is answered once when the body can be sent again."""
        answer = self._follow(method, url, scopes, headers or {}, body)
        is_own = origin_of(answer.url) == self._origin
        if answer.status == 401 and is_own:
            with answer:
                error = answer.error(what or f"registry `{self.registry.domain}`")
                challenges = parse_challenges(answer.headers("WWW-Authenticate"))
            may_help = self.authority.learn(answer.url, challenges, scopes)
            if not may_help or not (body is None or isinstance(body, bytes)):
                raise error
            answer = self._follow(method, url, scopes, headers or {}, body)
        if answer.status not in expected:
            with answer:
                raise answer.error(what or f"registry `{self.registry.domain}`")
        return answer

    @property
    def _origin(self) -> Origin:
        return origin_of(self.base)

    def _follow(self, method: str, url: str, scopes: Collection[str], headers: Mapping[str, str], body: Body) -> Answer:
        for _ in range(_MAXIMUM_REDIRECTS + 1):
            answer = self.connections.send(method, url, self._headers_for(url, scopes, headers), body)
            location = answer.header("Location")
            if method not in ("GET", "HEAD") or answer.status not in _REDIRECTS or not location:
                return answer
            with answer:
                answer.read(1 << 20)
            url = self.resolve(answer.url, location)
        raise RegistryError(f"registry `{self.registry.domain}` redirects too often")

    def resolve(self, url: str, location: str) -> str:
        """The address that a server sends us on to; RegistryError when it leads from TLS to plain http."""
        target = urljoin(url, location)
        origin = origin_of(target)
        if origin.scheme not in ("http", "https"):
            raise RegistryError(f"registry `{self.registry.domain}` redirects to `{target}`, which is no http address")
        may_be_plain = self.registry.is_insecure or (origin.is_loopback and self.registry.may_speak_plainly)
        if origin.scheme == "http" and not may_be_plain:
            raise RegistryError(f"registry `{self.registry.domain}` redirects to `{origin.host}` without TLS")
        return target

    def _headers_for(self, url: str, scopes: Collection[str], headers: Mapping[str, str]) -> dict[str, str]:
        result = {"User-Agent": USER_AGENT, **headers}
        if origin_of(url) == self._origin:
            authorization = self.authority.header(scopes)
            if authorization is not None:
                result["Authorization"] = authorization
        return result

    def _find_scheme(self) -> str:
        if not self.registry.may_speak_plainly:
            return "https"
        try:
            with self.connections.send(
                "GET", f"https://{self.registry.host}/v2/", {"User-Agent": USER_AGENT}
            ) as answer:
                answer.read(1 << 20)
        except ssl.SSLCertVerificationError:
            return "https"
        except (ssl.SSLError, http.client.HTTPException, ConnectionResetError):
            return "http"
        except (OSError, RegistryError):
            return "http"
        return "https"


def is_refusal(error: AnswerError) -> bool:
    """True when the registry does not let us in."""
    return error.status in (401, 403) or error.says("DENIED", "UNAUTHORIZED")
