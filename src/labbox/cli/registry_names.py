"""Registries as command lines name them."""

from labbox.lightweight_typing import Sequence
from labbox.oci.reference import DEFAULT_DOMAIN, parse_reference
from labbox.registry.address import RegistryAddress


def parse_server(positionals: Sequence[str]) -> RegistryAddress:
    """The registry that `login [SERVER]` means: Docker Hub when none is named; a scheme and a path are left out."""
    if not positionals:
        return RegistryAddress(DEFAULT_DOMAIN)
    host = positionals[0].removeprefix("https://").removeprefix("http://").partition("/")[0]
    if host in ("docker.io", "index.docker.io", "registry-1.docker.io"):
        return RegistryAddress(DEFAULT_DOMAIN)
    if "." not in host and ":" not in host and host != "localhost":
        return RegistryAddress(parse_reference(f"{host}:443/x").domain.removesuffix(":443"))
    return RegistryAddress(parse_reference(f"{host}/x").domain)
