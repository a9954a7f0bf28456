"""The same archive as the tests of `packages/debian` have."""

from packages.debian.conftest import no_proxies, server, transport

__all__ = ["no_proxies", "server", "transport"]
