"""Registries that can fail, and real ones."""

from collections.abc import Iterator

import pytest

from registry.debian_registry import DebianRegistry, missing_for_registry
from registry.fake_registry import FakeRegistry


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        yield registry


@pytest.fixture
def stranger() -> Iterator[FakeRegistry]:
    """Another host."""
    with FakeRegistry() as registry:
        yield registry


@pytest.fixture(scope="session")
def registry() -> Iterator[DebianRegistry]:
    """Debian's docker-registry, open to all."""
    missing = missing_for_registry()
    if missing:
        pytest.skip(missing)
    with DebianRegistry() as running:
        yield running


@pytest.fixture(scope="session")
def guarded_registry() -> Iterator[DebianRegistry]:
    """The same, for user `alice` with password `secret` only."""
    missing = missing_for_registry()
    if missing:
        pytest.skip(missing)
    with DebianRegistry(user="alice", password="secret") as running:
        yield running
