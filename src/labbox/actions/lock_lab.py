"""`labbox lock`: from a definition to `labbox.lock`. What still fits of an existing lock is kept."""

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from labbox.build.debian.normalise import ASSEMBLER_VERSION
from labbox.definition.values import Definition
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import ConflictError, LabboxError, NotFoundError
from labbox.files import locked, make_private_folder
from labbox.lock.lab import LAYOUT_VERSION, LabLock
from labbox.lock.lab_file import FILE_NAME, read_lab_lock, write_lab_lock
from labbox.lock.lab_request import request_digest
from labbox.lock.system import SystemLock
from labbox.lock.upgrade import Upgrade
from labbox.packages.debian.releases import host_architecture
from labbox.settings import Settings

# Called with a stage's name, how much of it is done, and how much there is.
Report = Callable[[str, int, int], None]


def ignore_progress(_stage: str, _done: int, _total: int) -> None:
    """A progress callback for those who do not look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRequest:
    """A project folder and its definition; what is to be upgraded; `frozen`: the lock is used as it is, or refused."""

    project: str
    definition: Definition
    upgrade: Upgrade = field(default_factory=Upgrade)
    frozen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LockUpdate:
    """The lock as it is now and as it was (None: there was none), and what the user should know, a sentence each."""

    lock: LabLock
    old: LabLock | None
    notes: tuple[str, ...] = ()


def lock_lab(
    engine: EmbeddedEngine,
    request: LockRequest,
    environment: Mapping[str, str] = os.environ,
    report: Report = ignore_progress,
) -> LabLock:
    """The lock of a project: the one in its folder when it is current, else a new one, written there."""
    return update_lock(engine, request, environment, report).lock


def update_lock(
    engine: EmbeddedEngine,
    request: LockRequest,
    environment: Mapping[str, str] = os.environ,
    report: Report = ignore_progress,
) -> LockUpdate:
    """As `lock_lab`, telling also what changed.

    The file is replaced in one step at the end: whatever happens before, the old lock stays whole. Raises
    ResolutionError, DownloadError or UsageError; ConflictError when it is frozen and out of date.
    """
    path = os.path.join(request.project, FILE_NAME)
    digest = request_digest(request.definition, request.project)
    with ExitStack() as held:
        if not request.frozen:
            held.enter_context(locked(_lock_path(engine.settings, path)))  # another `labbox lock` may be at it
        old = _read_old(path)
        reason = why_outdated(old, digest)
        if request.frozen:
            return LockUpdate(lock=_require_current(old, path, reason), old=old)
        if old is not None and reason is None and not _upgrades(request.upgrade):
            return LockUpdate(lock=old, old=old)
        _check_upgrade(old, request.upgrade)
        # A lock that is current needs no resolver, and the resolver is most of what labbox imports.
        from labbox.actions.locking.anew import lock_anew  # noqa: PLC0415

        lock, notes = lock_anew(engine, request.project, request.definition, request.upgrade, old, environment, report)
        update = LockUpdate(lock=lock, old=old, notes=notes)
        _write(path, update)
        return update


def why_outdated(lock: LabLock | None, digest: str) -> str | None:
    """Why a lock cannot serve a request of that digest, as the end of a sentence; None when it can."""
    if lock is None:
        return "it does not exist"
    if lock.request != digest:
        return "the definition was changed after it was written"
    if lock.platform != host_platform():
        return f"it is for `{lock.platform}`, and this machine is `{host_platform()}`"
    if lock.layout != LAYOUT_VERSION:
        return f"its layout is {lock.layout}, and this labbox has layout {LAYOUT_VERSION}"
    if isinstance(lock.system, SystemLock) and lock.system.assembler != ASSEMBLER_VERSION:
        return f"its assembler is {lock.system.assembler}, and this labbox has assembler {ASSEMBLER_VERSION}"
    return None


def host_platform() -> str:
    """The platform of locks made here, as images name it."""
    return f"linux/{host_architecture()}"


def _read_old(path: str) -> LabLock | None:
    try:
        return read_lab_lock(path)
    except NotFoundError:
        return None


def _write(path: str, update: LockUpdate) -> None:
    if update.lock == update.old:
        return
    try:
        write_lab_lock(path, update.lock)
    except OSError as error:
        raise LabboxError(f"cannot write lock `{path}`: {error.strerror}") from error


def _require_current(old: LabLock | None, path: str, reason: str | None) -> LabLock:
    if old is None or reason is not None:
        raise ConflictError(
            f"lock `{path}` must be used as it is, and cannot be: {reason}",
            hint="Run `labbox lock`, or leave out --frozen.",
        )
    return old


def _upgrades(upgrade: Upgrade) -> bool:
    return upgrade.everything or bool(upgrade.names)


def _check_upgrade(old: LabLock | None, upgrade: Upgrade) -> None:
    if old is None:
        return
    known = {wheel.name for wheel in (*old.packages, *old.services)} | {deb.name for deb in old.additions}
    known |= {deb.name for deb in old.system.debs} if isinstance(old.system, SystemLock) else set()
    unknown = sorted(upgrade.names - known)
    if unknown:
        raise NotFoundError(
            f"{', '.join(f'`{name}`' for name in unknown)} is not in the lock", hint="Add it with `labbox add`."
        )


def _lock_path(settings: Settings, path: str) -> str:
    """The file whose flock(2) keeps a second `labbox lock` of the same folder waiting."""
    folder = os.path.join(settings.data_dir, "locking")
    make_private_folder(folder)
    return os.path.join(folder, hashlib.sha256(os.path.realpath(path).encode()).hexdigest()[:16])
