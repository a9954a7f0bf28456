"""`labbox search`: images on Docker Hub or another registry."""

from collections.abc import Mapping

from labbox.oci.reference import DEFAULT_DOMAIN
from labbox.registry.address import RegistryAddress
from labbox.registry.credentials import CredentialStore
from labbox.registry.search import Findings, search_registry
from labbox.registry.session import Session


def search_images(term: str, environment: Mapping[str, str], *, limit: int, is_insecure: bool = False) -> Findings:
    """What a term (`numpy`, `ghcr.io/numpy`) finds; raises RegistryError when the registry cannot be searched."""
    registry, words = _split(term)
    address = RegistryAddress(registry, is_insecure)
    with Session(address, CredentialStore(environment).find(address)) as session:
        return search_registry(session, words, limit)


def _split(term: str) -> tuple[str, str]:
    """Docker's rule: what stands before the first slash is a registry when it looks like a host."""
    first, slash, rest = term.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return (DEFAULT_DOMAIN if first in ("docker.io", "index.docker.io") else first), rest
    return DEFAULT_DOMAIN, term
