"""The Debian archive as seen from here: its mirrors, the connections to them, and what was fetched before."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from labbox.packages.debian.mirrors import Mirrors, find_mirrors
from labbox.packages.debian.suites import SuiteReader
from labbox.packages.fetch import Fetcher
from labbox.packages.patience import Patience
from labbox.packages.transport import Transport

_SNAPSHOT_CONNECTIONS = 2  # it refuses those who ask for more at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What every access to the archive needs."""

    cache_dir: str
    mirrors: Mirrors
    transport: Transport
    patience: Patience

    def reader(self) -> SuiteReader:
        """A reader of signed suites."""
        return SuiteReader(
            cache_dir=self.cache_dir, mirrors=self.mirrors, transport=self.transport, patience=self.patience
        )

    def fetcher(self) -> Fetcher:
        """A fetcher of package files."""
        return Fetcher(os.path.join(self.cache_dir, "debs", "sha256"), self.transport, self.patience)


@contextmanager
def open_archive(cache_dir: str, environment: Mapping[str, str], config: Mapping[str, Any]) -> Iterator[Archive]:
    """The archive by the user's environment and settings, until its connections are closed."""
    mirrors = find_mirrors(environment, config)
    with Transport() as transport:
        yield Archive(
            cache_dir=cache_dir,
            mirrors=mirrors,
            transport=transport,
            patience=Patience(limits={mirrors.snapshot_host: _SNAPSHOT_CONNECTIONS}),
        )
