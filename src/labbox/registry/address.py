"""Where a registry answers: its host, whether by TLS, and by which names credentials for it are kept."""

import ipaddress
from typing import NamedTuple
from urllib.parse import urlsplit

from labbox.oci.reference import DEFAULT_DOMAIN

HUB_KEY = "https://index.docker.io/v1/"
_HUB_HOST = "registry-1.docker.io"
_HUB_NAMES = (HUB_KEY, "docker.io", "index.docker.io", _HUB_HOST)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """What credentials are bound to: scheme, host and port of an address."""

    scheme: str
    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """True for this machine itself."""
        return is_loopback(self.host)


class RegistryAddress(NamedTuple):
    """A registry by the domain in image names; `is_insecure` permits plain http and unknown certificates."""

    domain: str
    is_insecure: bool = False

    @property
    def host(self) -> str:
        """Host and port that answer: Docker Hub's differ from its name."""
        return _HUB_HOST if self.domain == DEFAULT_DOMAIN else self.domain

    @property
    def credential_key(self) -> str:
        """The name under which docker keeps credentials for it."""
        return HUB_KEY if self.domain == DEFAULT_DOMAIN else self.domain

    @property
    def credential_names(self) -> tuple[str, ...]:
        """Every name under which its credentials may be kept, the best first."""
        return _HUB_NAMES if self.domain == DEFAULT_DOMAIN else (self.domain,)

    @property
    def may_speak_plainly(self) -> bool:
        """True when http without TLS is acceptable: on this machine, or by the user's word."""
        return self.is_insecure or is_loopback(urlsplit(f"//{self.host}").hostname or "")


def origin_of(url: str) -> Origin:
    """The origin of an address."""
    parts = urlsplit(url)
    return Origin(parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme, 0))


def is_loopback(host: str) -> bool:
    """True for `localhost` and the loopback addresses."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
