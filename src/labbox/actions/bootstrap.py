"""`labbox bootstrap`: make a system image from the Debian archive, or again from a lock."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from labbox.build.debian.normalise import ASSEMBLER_VERSION
from labbox.build.known_layers import known_systems
from labbox.build.system import assemble_layer, check_lock, system_config
from labbox.engine.embedded.modes import choose_identity
from labbox.errors import UsageError
from labbox.lock.fetch_system import fetch_system
from labbox.lock.resolve_system import lock_system
from labbox.lock.system import SystemLock, read_system_lock, write_system_lock
from labbox.oci.reference import Reference, parse_reference
from labbox.packages.debian.archive import Archive, open_archive
from labbox.packages.debian.releases import find_release, host_architecture
from labbox.settings import Settings, read_config
from labbox.store.images import ImageStore, StoredImage, layer_descriptor
from labbox.store.layers import LayerStore

# Called with a stage's name, how much is done and how much there is: `index`, `download` (bytes), `unpack` and
# `configure` (packages), `finish`.
ReportStage = Callable[[str, int, int], None]
DEFAULT_RELEASE = "debian:13"


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapRequest:
    """What to make: a release, packages besides its base system, the image's name; lock files to write or to follow.

    A package is `name` or `name=version`. With `from_lock` the lock alone says what the system is.
    """

    release: str | None = None  # default: the lock's, else the newest stable one
    include: tuple[str, ...] = ()
    name: str | None = None  # default: the release's own
    write_lock: str | None = None
    from_lock: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapResult:
    """The image, the lock it was made from, and whether its layer was there already."""

    name: str
    image: StoredImage
    lock: SystemLock
    size_bytes: int
    was_present: bool


def ignore_progress(_stage: str, _done: int, _total: int) -> None:
    """A progress callback for those who do not look."""


def bootstrap(
    settings: Settings,
    request: BootstrapRequest,
    *,
    report: ReportStage = ignore_progress,
    environment: Mapping[str, str] = os.environ,
) -> BootstrapResult:
    """Resolve, lock, fetch, assemble, and give the image its name. The same lock always gives the same image.

    Raises ResolutionError, DownloadError, SignatureError or UsageError saying what cannot be had, and where.
    """
    _check_request(request)
    with open_archive(settings.cache_dir, environment, read_config(settings)) as archive:
        return _bootstrap(settings, request, archive, report, environment)


def _bootstrap(
    settings: Settings,
    request: BootstrapRequest,
    archive: Archive,
    report: ReportStage,
    environment: Mapping[str, str],
) -> BootstrapResult:
    identity = choose_identity(settings.runtime_dir, wanted=environment.get("LABBOX_MODE"))
    report("index", 0, 1)
    lock = _read_lock(request) if request.from_lock else _resolve(request, archive)
    name = image_name(request, lock)
    report("index", 1, 1)

    layers = LayerStore(settings.store_dir, identity)
    with layers.creating():
        known = known_systems(settings.cache_dir)
        packed = known.find(lock.key(), layers)
        was_present = packed is not None
        if packed is None or request.write_lock:
            fetched = fetch_system(
                lock, archive, progress=lambda done: report("download", done.done_bytes, done.total_bytes)
            )
            lock = lock.with_sha1({sha256: file.sha1 for sha256, file in fetched.items()})
            if packed is None:
                paths = {sha256: file.path for sha256, file in fetched.items()}
                packed = assemble_layer(lock, paths, layers, identity, report)
                known.remember(lock.key(), packed)
        if request.write_lock:
            write_system_lock(request.write_lock, lock)
        config = system_config(lock, packed)
        image = ImageStore(settings.store_dir).add(config, [layer_descriptor(packed)], [name])
    return BootstrapResult(
        name=name.familiar, image=image, lock=lock, size_bytes=packed.size_bytes, was_present=was_present
    )


def image_name(request: BootstrapRequest, lock: SystemLock) -> Reference:
    """The image's name: the one asked for, else the release's own (`debian:13`)."""
    return parse_reference(request.name or lock.release).with_default_tag()


def _check_request(request: BootstrapRequest) -> None:
    """Refuse, before anything is downloaded, what would fail after it."""
    if request.name is not None:
        parse_reference(request.name)
    if request.release is not None:
        find_release(request.release)
    folder = os.path.dirname(os.path.abspath(request.write_lock or "."))
    if not os.path.isdir(folder):
        raise UsageError(f"cannot write the lock `{request.write_lock}`: `{folder}` is not a folder")


def _read_lock(request: BootstrapRequest) -> SystemLock:
    if request.include:
        raise UsageError(
            "packages cannot be added to a lock", hint="leave out --include, or lock again without --from-lock"
        )
    assert request.from_lock is not None
    lock = read_system_lock(request.from_lock)
    check_lock(lock)
    if request.release is not None and find_release(request.release).name != lock.release:
        raise UsageError(
            f"lock `{request.from_lock}` is of {lock.release}, not of {request.release}", hint="leave the release out"
        )
    return lock


def _resolve(request: BootstrapRequest, archive: Archive) -> SystemLock:
    release = find_release(request.release or DEFAULT_RELEASE)
    architecture = host_architecture()
    return lock_system(
        release,
        archive.reader().read_release(release, architecture),
        request.include,
        architecture=architecture,
        assembler=ASSEMBLER_VERSION,
        now=datetime.now(UTC),
    )
