"""The same archive as the tests of `packages/debian` have, and the same package index as those of `packages/python`."""

from packages.debian.conftest import no_proxies, server, transport
from packages.python.fixtures import environment, index_server, package_index, project, uv

__all__ = ["environment", "index_server", "no_proxies", "package_index", "project", "server", "transport", "uv"]
