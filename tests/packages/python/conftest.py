"""A package index of our own for every test."""

from packages.python.fixtures import environment, index_server, package_index, project, uv

__all__ = ["environment", "index_server", "package_index", "project", "uv"]
