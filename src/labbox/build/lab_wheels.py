"""The wheels of a lab's lock as files: fetched from where they are, or built again where no server has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labbox.build.children import Report
from labbox.build.python.source_wheels import SourceBuilder
from labbox.build.workshop import Workshop
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.lock.fetch_wheels import fetch_wheels, missing_built_wheels
from labbox.lock.lab import LockedInterpreter, LockedWheel
from labbox.oci.digest import Digest
from labbox.packages.python.package_index import open_package_index


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelSource:
    """Where a lab's wheels come from: the cache, the addresses in the lock, the user's and the lab's own indexes."""

    engine: EmbeddedEngine
    environment: Mapping[str, str]
    indexes: tuple[str, ...] = ()

    def fetch(self, wheels: Sequence[LockedWheel], report: Report) -> dict[str, str]:
        """Wheels in the cache: sha256 → path; those that only a build can give are left out. Raises DownloadError."""
        cache_dir = self.engine.settings.cache_dir
        unavailable = missing_built_wheels(wheels, cache_dir=cache_dir)
        with open_package_index(cache_dir, self.environment, self.indexes) as index:
            return fetch_wheels(
                [wheel for wheel in wheels if wheel not in unavailable],
                index,
                progress=lambda done: report("download", done.done_bytes, done.total_bytes),
            )

    def build(
        self,
        wheels: Sequence[LockedWheel],
        interpreter: LockedInterpreter,
        system: Sequence[Digest],
        report: Report,
    ) -> dict[str, str]:
        """Those of the wheels that must be built again, in containers of the lab's system: sha256 → path.

        Raises PackageError when one cannot be built, DigestMismatchError when it becomes another than the locked one.
        """
        cache_dir = self.engine.settings.cache_dir
        missing = missing_built_wheels(wheels, cache_dir=cache_dir)
        if not missing:
            return {}
        workshop = Workshop(engine=self.engine, system=tuple(system), environment=self.environment)
        paths = {}
        with open_package_index(cache_dir, self.environment, self.indexes) as index:
            builder = SourceBuilder(interpreter, workshop, index)
            for done, wheel in enumerate(missing):
                report("build wheels", done, len(missing))
                paths[wheel.sha256] = builder.provide(wheel)
        report("build wheels", len(missing), len(missing))
        return paths
