"""The Authorization header for requests to one registry: Basic, or tokens from the server that the registry names.

Sources: distribution, docs/spec/auth/{token,oauth,scope}.md. A password goes to the registry itself or to a token
server that belongs to it, and over TLS unless the server is this machine or the user permits otherwise.
"""

import json
import threading
import time
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from labbox.errors import RegistryError
from labbox.oci.reference import DEFAULT_DOMAIN
from labbox.registry.address import RegistryAddress, is_loopback
from labbox.registry.challenge import Challenge
from labbox.registry.connections import Connections, basic
from labbox.registry.credentials import Login
from labbox.registry.waiting import Waiting

_CLIENT = "labbox"
_TOKEN_BYTES = 1 << 20
_USUAL_SECONDS = 60.0  # "expires_in … for compatibility … should never be less than 60" (token.md)
_MARGIN_SECONDS = 10.0


class _Token(NamedTuple):
    text: str
    expires: float


class Authority:
    """Knows how to be let in by one registry; threads may share it."""

    def __init__(
        self, registry: RegistryAddress, login: Login | None, connections: Connections, waiting: Waiting
    ) -> None:
        self.registry = registry
        self.login = login
        self._connections = connections
        self._waiting = waiting
        self._lock = threading.Lock()
        self._speaks_basic = False
        self._challenge: Challenge | None = None
        self._tokens: dict[frozenset[str], _Token] = {}
        self._asked_for: dict[frozenset[str], frozenset[str]] = {}  # by the registry, for what we wanted

    def header(self, scopes: Collection[str]) -> str | None:
        """The header for a request that needs these scopes, None while nothing is known.

        Fetches a token anew before the old one ends.
        """
        with self._lock:
            if self._speaks_basic and self.login is not None:
                return basic(self.login.username, self.login.password)
            if self._challenge is None:
                return None
            wanted = frozenset(scopes)
            token = self._tokens.get(wanted)
            if token is None or token.expires <= time.monotonic():
                token = self._fetch(self._challenge, wanted | self._asked_for.get(wanted, frozenset()))
                self._tokens[wanted] = token
            return f"Bearer {token.text}"

    def learn(self, url: str, challenges: Sequence[Challenge], scopes: Collection[str]) -> bool:
        """Take in the challenges of a 401; True when asking again may be answered otherwise."""
        bearer = next((challenge for challenge in challenges if challenge.scheme == "bearer"), None)
        with self._lock:
            if bearer is not None and bearer.parameters.get("realm"):
                self._challenge = bearer
                wanted = frozenset(scopes)
                self._asked_for[wanted] = frozenset(bearer.scopes)
                self._tokens[wanted] = self._fetch(bearer, wanted | self._asked_for[wanted])
                return True
            if any(challenge.scheme == "basic" for challenge in challenges) and self.login and self.login.username:
                self._refuse_plain(url)
                was_tried, self._speaks_basic = self._speaks_basic, True
                return not was_tried
        return False

    def _fetch(self, challenge: Challenge, scopes: frozenset[str]) -> _Token:
        realm, service = challenge.parameters["realm"], challenge.parameters.get("service", "")
        if self.login is not None:
            self._refuse_stranger(realm)
            self._refuse_plain(realm)
        fields = [("service", service)] if service else []
        headers = {"User-Agent": _CLIENT, "Accept": "application/json"}
        if self.login is not None and self.login.identity_token:
            fields += [("grant_type", "refresh_token"), ("refresh_token", self.login.identity_token)]
            fields += [("client_id", _CLIENT), ("scope", " ".join(sorted(scopes)))]
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            return self._ask("POST", realm, headers, urlencode(fields).encode())
        fields += [("client_id", _CLIENT), *(("scope", scope) for scope in sorted(scopes))]
        if self.login is not None:
            fields.append(("account", self.login.username))
            headers["Authorization"] = basic(self.login.username, self.login.password)
        parts = urlsplit(realm)
        query = urlencode([*parse_qsl(parts.query), *fields])
        return self._ask("GET", urlunsplit(parts._replace(query=query)), headers, None)

    def _ask(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> _Token:
        where = urlunsplit(urlsplit(url)._replace(query="", fragment=""))

        def attempt() -> bytes:
            with self._connections.send(method, url, headers, body) as answer:
                if answer.status != 200:
                    raise answer.error(f"token server `{where}`")
                return answer.read(_TOKEN_BYTES)

        asked = time.monotonic()
        return _parse_token(self._waiting.persist(attempt, where), where, asked)

    def _refuse_stranger(self, realm: str) -> None:
        """A registry must not have the password sent wherever it likes (CVE-2020-15157)."""
        host, own = urlsplit(realm).hostname or "", urlsplit(f"//{self.registry.host}").hostname or ""
        if not _belongs(host, own) and not (self.registry.domain == DEFAULT_DOMAIN and host == "auth.docker.io"):
            raise RegistryError(
                f"registry `{self.registry.domain}` sends to the token server `{host}`, which is of another domain: "
                "your credentials were not sent there",
                hint=f"log out (labbox logout {self.registry.domain}) to go on without credentials",
            )

    def _refuse_plain(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not is_loopback(parts.hostname or "") and not self.registry.is_insecure:
            raise RegistryError(
                f"credentials are not sent to `{parts.netloc}` without TLS", hint="use --insecure if you must"
            )


def _belongs(host: str, own: str) -> bool:
    """True for the host itself, one above it, one below it, and those that share its parent domain."""
    if host == own or (is_loopback(host) and is_loopback(own)):
        return True
    if host.replace(".", "").isdigit() or ":" in host:
        return False
    parent = own.partition(".")[2]
    return host.endswith("." + own) or ("." in parent and (host == parent or host.endswith("." + parent)))


def _parse_token(body: bytes, where: str, asked: float) -> _Token:
    try:
        document: dict[str, Any] = json.loads(body)
        text = document.get("token") or document.get("access_token")
        seconds = float(document.get("expires_in") or _USUAL_SECONDS)
    except (ValueError, TypeError, AttributeError) as error:
        raise RegistryError(f"token server `{where}` answers no token: {error}") from error
    if not isinstance(text, str) or not text.isascii() or "\n" in text or "\r" in text:
        raise RegistryError(f"token server `{where}` answers no token")
    return _Token(text, asked + max(seconds - _MARGIN_SECONDS, seconds / 2))
