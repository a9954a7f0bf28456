"""A conversation with the registry that an image's name means, with this user's credentials."""

from collections.abc import Mapping

from labbox.oci.reference import Reference
from labbox.registry.address import RegistryAddress
from labbox.registry.credentials import CredentialStore
from labbox.registry.repository import Repository
from labbox.registry.session import Session


def open_repository(reference: Reference, environment: Mapping[str, str], *, is_insecure: bool = False) -> Repository:
    """The repository of a name; nothing is asked yet. Close its `session`."""
    address = RegistryAddress(reference.domain, is_insecure)
    login = CredentialStore(environment).find(address, reference.path)
    return Repository(Session(address, login), reference.path)
