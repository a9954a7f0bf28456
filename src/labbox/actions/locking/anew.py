"""A lab's lock made anew: system, interpreters, packages and services resolved."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from labbox.actions.locking.debian import lock_debian
from labbox.actions.locking.image import lock_image
from labbox.actions.locking.python import PythonParts, PythonTask, lock_python
from labbox.actions.locking.system_part import SystemPart
from labbox.build.python.layer_plan import choose_threshold
from labbox.definition.values import Definition
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import NotFoundError
from labbox.lock.lab import LAYOUT_VERSION, LabLock
from labbox.lock.lab_request import python_request_digest, request_digest
from labbox.lock.system import SystemLock
from labbox.lock.upgrade import Upgrade
from labbox.packages.debian.releases import DebianRelease, find_release, host_architecture

Report = Callable[[str, int, int], None]


def lock_anew(
    engine: EmbeddedEngine,
    project: str,
    definition: Definition,
    upgrade: Upgrade,
    old: LabLock | None,
    environment: Mapping[str, str],
    report: Report,
) -> tuple[LabLock, tuple[str, ...]]:
    """A lock of what the definition asks for, and notes for the user; what still fits of the old lock is kept.

    Raises ResolutionError, DownloadError or UsageError.
    """
    platform = f"linux/{host_architecture()}"
    if old is not None and old.platform != platform:
        old = None  # nothing of another machine's lock fits
    release = _find_release(definition.system)
    if release is None:
        system = lock_image(engine, project, definition, old, upgrade, environment)
    else:
        system = lock_debian(engine.settings, release, definition, old, upgrade, environment, report)
    draft = _draft(system, request_digest(definition, project), python_request_digest(definition, project), platform)
    python = lock_python(
        PythonTask(
            engine=engine,
            folder=project,
            definition=definition,
            draft=draft,
            glibc=system.glibc,
            old=old,
            upgrade=upgrade,
            environment=environment,
            report=report,
        )
    )
    lock = replace(
        draft,
        packages=python.packages,
        services=python.services,
        epoch=_epoch(system, python),
        layer_threshold=max(choose_threshold(python.packages), old.layer_threshold if old else 0),
    )
    if old is not None and replace(lock, locked_at=old.locked_at) == old:
        lock = old
    return lock, python.notes


def _find_release(system: str) -> DebianRelease | None:
    """The Debian release that a system names; None when it is an image."""
    try:
        return find_release(system)
    except NotFoundError:
        if system.startswith("debian:"):
            raise
        return None


def _draft(system: SystemPart, digest: str, python_digest: str, platform: str) -> LabLock:
    """A lock of the system alone."""
    return LabLock(
        request=digest,
        python_request=python_digest,
        layout=LAYOUT_VERSION,
        platform=platform,
        epoch=0,
        locked_at=datetime.now(UTC).replace(microsecond=0).isoformat(),
        system=system.system,
        additions=system.additions,
        interpreter=system.interpreter,
        services_interpreter=system.services_interpreter,
        packages=(),
        services=(),
    )


def _epoch(system: SystemPart, python: PythonParts) -> int:
    """The time of the newest thing in the lock."""
    base = system.system.epoch if isinstance(system.system, SystemLock) else 0
    return max(base, *(wheel.uploaded for wheel in (*python.packages, *python.services)), 0)
