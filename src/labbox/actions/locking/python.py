"""The Python parts of a lab's lock: the packages of its environment and those of its services."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from labbox.build.lab_system import provide_system
from labbox.build.python.legacy_resolution import resolve_legacy
from labbox.build.python.source_wheels import SourceBuilder
from labbox.build.workshop import Workshop
from labbox.definition.values import Definition
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import UnsupportedError
from labbox.lock.lab import LabLock, LockedInterpreter, LockedSource, LockedWheel, PendingSource
from labbox.lock.lab_request import is_legacy, wanted_python, wanted_services
from labbox.lock.resolve_python import PythonResolver, ResolvedPython, make_size_finder
from labbox.lock.system import SystemLock
from labbox.lock.upgrade import Upgrade
from labbox.packages.debian.archive import open_archive
from labbox.packages.python.package_index import PackageIndex, open_package_index
from labbox.packages.python.platform import PythonPlatform
from labbox.packages.python.uv import find_uv
from labbox.packages.python.wanted import WantedPackages
from labbox.settings import read_config
from labbox.store.layers import LayerStore

Report = Callable[[str, int, int], None]
_SERVICE_ROOTS = frozenset({"jupyterlab", "jupyter-server-proxy", "tensorboard"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonParts:
    """The wheels of /opt/env and of /opt/labbox, and what the user should know."""

    packages: tuple[LockedWheel, ...]
    services: tuple[LockedWheel, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonTask:
    """A definition in a folder, to be resolved on the system of a draft lock, whose C library is `glibc`."""

    engine: EmbeddedEngine
    folder: str
    definition: Definition
    draft: LabLock
    glibc: tuple[int, int]
    old: LabLock | None
    upgrade: Upgrade
    environment: Mapping[str, str]
    report: Report


def lock_python(task: PythonTask) -> PythonParts:
    """The wheels for a definition; versions of the old lock are kept where they fit."""
    indexes = task.definition.python.indexes
    with open_package_index(task.engine.settings.cache_dir, task.environment, indexes) as index:
        resolving = _Resolving(task, index)
        packages, services = _kept_packages(task), _kept_services(task)
        if packages is None or services is None:
            task.report("resolve", 0, 1)
            with ThreadPoolExecutor(1, thread_name_prefix="services") as pool:  # what takes time is the index
                later = pool.submit(lambda: services or resolving.resolve_services())
                packages = packages or resolving.resolve_environment()
                services = later.result()
            task.report("resolve", 1, 1)
        # Containers are started when no thread runs: a fork would copy its locks.
        packages = packages or resolving.lock_legacy()
        packages = resolving.build_sources(packages, task.draft.interpreter)
        services = resolving.build_sources(services, task.draft.services_interpreter)
    return PythonParts(packages=packages.wheels, services=services.wheels, notes=packages.notes)


def _kept_packages(task: PythonTask) -> ResolvedPython | None:
    """The old lock's packages as they are, when the same are wanted on the same system."""
    old, draft = task.old, task.draft
    if old is None or not _is_same_system(old, draft) or old.interpreter.language != draft.interpreter.language:
        return None
    if old.python_request != draft.python_request or _is_upgraded(task, old.packages):
        return None
    return ResolvedPython(wheels=old.packages)


def _kept_services(task: PythonTask) -> ResolvedPython | None:
    """The old lock's services as they are, when the same are wanted on the same system."""
    old = task.old
    if old is None or not _is_same_system(old, task.draft) or _is_upgraded(task, old.services):
        return None
    names = {wheel.name for wheel in old.services}
    if names & _SERVICE_ROOTS != set(wanted_services(task.definition).requirements):
        return None
    return ResolvedPython(wheels=old.services)


def _is_same_system(old: LabLock, new: LabLock) -> bool:
    """True when wheels for the one system run on the other: a release keeps its Python and its C library."""
    if isinstance(old.system, SystemLock) and isinstance(new.system, SystemLock):
        return old.system.release == new.system.release
    return old.system == new.system


def _is_upgraded(task: PythonTask, wheels: Sequence[LockedWheel]) -> bool:
    return task.upgrade.everything or any(wheel.name in task.upgrade.names for wheel in wheels)


class _Resolving:
    """A task with the connections to the index."""

    def __init__(self, task: PythonTask, index: PackageIndex) -> None:
        self.task = task
        self.index = index
        # Found before there are threads: `sysconfig` of Python 3.11 answers None while another thread fills it.
        self.uv = find_uv(task.environment)

    def resolve_environment(self) -> ResolvedPython | None:
        """The lab's own packages; None for a Python that uv does not resolve for."""
        interpreter, old = self.task.draft.interpreter, self.task.old
        if is_legacy(interpreter.language):
            return None
        kept = old.packages if old is not None and old.interpreter.language == interpreter.language else ()
        return self._resolve(wanted_python(self.task.definition), interpreter, kept)

    def resolve_services(self) -> ResolvedPython:
        """The packages of the services."""
        interpreter, old = self.task.draft.services_interpreter, self.task.old
        kept = old.services if old is not None and old.services_interpreter.language == interpreter.language else ()
        return self._resolve(wanted_services(self.task.definition), interpreter, kept)

    def lock_legacy(self) -> ResolvedPython:
        """The wheels for a Python that uv refuses, chosen by its own last pip in a container."""
        wanted = wanted_python(self.task.definition)
        language = self.task.draft.interpreter.language
        if wanted.project:
            raise UnsupportedError(
                f"pyproject.toml cannot be resolved for Python {language}",
                hint="List the packages in labbox.toml or in a requirements file.",
            )
        wheels = resolve_legacy(
            wanted.requirements,
            [os.path.join(self.task.folder, name) for name in wanted.files],
            interpreter=self.task.draft.interpreter,
            workshop=self._workshop(),
            indexes=wanted.indexes,
            find_links=[os.path.join(self.task.folder, place) for place in wanted.find_links],
            report=self.task.report,
        )
        return ResolvedPython(wheels=wheels)

    def build_sources(self, resolved: ResolvedPython, interpreter: LockedInterpreter) -> ResolvedPython:
        """With wheels, built in the lab's system, instead of source archives."""
        if not resolved.sources:
            return resolved
        built = self._build(resolved.sources, interpreter)
        wheels = sorted((*resolved.wheels, *built), key=lambda wheel: wheel.name)
        return replace(resolved, wheels=tuple(wheels), sources=())

    def _resolve(
        self, wanted: WantedPackages, interpreter: LockedInterpreter, kept: tuple[LockedWheel, ...]
    ) -> ResolvedPython:
        resolver = PythonResolver(
            uv=self.uv,
            platform=PythonPlatform(
                version=interpreter.version, abi=interpreter.abi, machine=os.uname().machine, glibc=self.task.glibc
            ),
            folder=self.task.folder,
            size_of=make_size_finder(self.index.transport, self.index.patience),
        )
        return resolver.resolve(wanted, kept=kept, upgrade=self.task.upgrade)

    def _build(self, sources: tuple[PendingSource, ...], interpreter: LockedInterpreter) -> list[LockedWheel]:
        """Wheels of source archives, built in the lab's system."""
        builder = SourceBuilder(interpreter, self._workshop(), self.index)
        wheels = []
        for done, source in enumerate(sources):
            self.task.report("build wheels", done, len(sources))
            wheel = builder.build(LockedSource(url=source.url, sha256=source.sha256))
            wheels.append(replace(wheel, uploaded=source.uploaded))
        self.task.report("build wheels", len(sources), len(sources))
        return wheels

    def _workshop(self) -> Workshop:
        """Containers of the lab's system, which is assembled for it where it is not here yet."""
        settings = self.task.engine.settings
        layers = LayerStore(settings.store_dir, self.task.engine.identity)
        with (
            open_archive(settings.cache_dir, self.task.environment, read_config(settings)) as archive,
            layers.creating(),
        ):
            system = provide_system(
                self.task.draft, settings, archive, self.task.engine.identity, layers, self.task.report
            )
        return Workshop(engine=self.task.engine, system=system.config.diff_ids, environment=self.task.environment)
