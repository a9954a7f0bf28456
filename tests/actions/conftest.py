"""The package index of the tests of `packages/python`."""

from packages.python.fixtures import environment, index_server, package_index, project, uv

__all__ = ["environment", "index_server", "package_index", "project", "uv"]
