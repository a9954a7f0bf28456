"""From a lab's lock to its image: system, user, services, packages and settings, a layer or more each.

The image depends on the lock and on the settings alone: not on the machine, the mode, the user or the day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from labbox.build.children import Child, Report
from labbox.build.lab_base import make_base_layer, make_settings_layer
from labbox.build.lab_system import LabSystem, provide_system
from labbox.build.lab_wheels import WheelSource
from labbox.build.python.bytecode import make_bytecode_layers
from labbox.build.python.layer_memory import MadeLayer
from labbox.build.python.layer_plan import PlannedLayer, plan_layers, plan_one_layer
from labbox.build.python.target import Target, environment_target, services_target
from labbox.build.python.wheel_layers import make_wheel_layers, missing_wheels, wheel_overlaps
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.lock.lab import LabLock, LockedInterpreter
from labbox.oci.config import History, ImageConfig
from labbox.oci.descriptor import Descriptor
from labbox.oci.digest import Digest
from labbox.oci.reference import Reference
from labbox.packages.debian.archive import Archive
from labbox.store.images import ImageStore, StoredImage, layer_descriptor
from labbox.store.layers import LayerStore
from labbox.store.tar_writer import PackedTree

COMMAND = ("/opt/labbox/bin/labbox-services",)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPlan:
    """What the image is made of: the lock, files of the settings layer (path → content), variables, service ports."""

    name: Reference
    lock: LabLock
    files: Mapping[str, bytes]
    environment: Mapping[str, str]
    ports: Mapping[str, int]


class _Layer(NamedTuple):
    """A layer as the manifest and the history name it."""

    diff_id: Digest
    descriptor: Descriptor
    title: str


class _Tree(NamedTuple):
    """One of the lab's two environments: where it is, the layers it is made of, and the Python that imports them."""

    target: Target
    layers: list[PlannedLayer]
    interpreter: LockedInterpreter


class BuiltLab(NamedTuple):
    """A lab's image, its system's layers (lowest first), and per environment its Python and the layers with wheels.

    `notes` say which packages bring different files at the same places.
    """

    image: StoredImage
    system: tuple[Digest, ...]
    environments: tuple[tuple[LockedInterpreter, tuple[Digest, ...]], ...]
    notes: tuple[str, ...]


def build_lab(plan: LabPlan, engine: EmbeddedEngine, archive: Archive, wheels: WheelSource, report: Report) -> BuiltLab:
    """The lab's image under its name.

    Wheels are fetched by a process of its own while the system is assembled. Raises DownloadError, ArchiveError or
    StoreError; what was made until then is found again by the next call.
    """
    settings, identity, lock = engine.settings, engine.identity, plan.lock
    layers = LayerStore(settings.store_dir, identity)
    trees = _plan_trees(lock)
    with layers.creating():
        cache_dir = settings.cache_dir
        absent = [missing_wheels(tree.layers, tree.target, layers, cache_dir) for tree in trees]
        every = [wheel for tree in absent for wheel in tree]
        with Child(lambda report: wheels.fetch(every, report), what="the download of wheels") as download:
            system = provide_system(lock, settings, archive, identity, layers, report)
            below = system.config.diff_ids
            base = make_base_layer(below, lock.interpreter, lock.services_interpreter, layers)
            files = download.result(report)
        for tree, missing in zip(trees, absent, strict=True):
            files |= wheels.build(missing, tree.interpreter, below, report)
        made = [
            make_wheel_layers(tree.layers, files, tree.target, layers, cache_dir, identity, report) for tree in trees
        ]
        overlaps = [overlap for tree in trees for overlap in wheel_overlaps(tree.layers, tree.target, cache_dir)]
        own = [_own_layer(base, "labbox: developer, /workspace")]
        for tree, found in zip(trees, made, strict=True):
            own += [_wheel_layer(layer, planned, tree) for layer, planned in zip(found, tree.layers, strict=True)]
        own.append(_own_layer(make_settings_layer(plan.files, layers), "labbox: settings"))
        image = _add_image(plan, system, own, ImageStore(settings.store_dir))
    environments = [
        (tree.interpreter, tuple(layer.diff_id for layer in found)) for tree, found in zip(trees, made, strict=True)
    ]
    notes = tuple(overlap.describe() for overlap in overlaps)
    return BuiltLab(image, tuple(below), tuple(environments), notes)


def compile_lab(lab: BuiltLab, engine: EmbeddedEngine, report: Report) -> tuple[Digest, ...]:
    """The layers of compiled Python that belong on top of a lab's image on this machine.

    Hold `layers.creating()` until a container names them.
    """
    layers = LayerStore(engine.settings.store_dir, engine.identity)
    found: list[Digest] = []
    for interpreter, targets in lab.environments:
        found += make_bytecode_layers(
            targets, lab.system, interpreter, layers, engine.settings.cache_dir, engine.identity, report
        )
    return tuple(found)


def _plan_trees(lock: LabLock) -> tuple[_Tree, _Tree]:
    services, packages = lock.services_interpreter, lock.interpreter
    return (
        _Tree(services_target(services.language), plan_one_layer(lock.services), services),
        _Tree(environment_target(packages.language), plan_layers(lock.packages, lock.layer_threshold), packages),
    )


def _add_image(plan: LabPlan, system: LabSystem, made: Sequence[_Layer], images: ImageStore) -> StoredImage:
    created = datetime.fromtimestamp(plan.lock.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    config: ImageConfig = system.config._replace(
        created=created,
        user="developer",
        working_dir="/workspace",
        entrypoint=None,
        cmd=COMMAND,
        exposed_ports=tuple(sorted(f"{port}/tcp" for port in plan.ports.values())),
    )
    for name, value in plan.environment.items():
        config = config.with_environment(name, value)
    for layer in made:
        config = config.with_layer(layer.diff_id, History(created=created, created_by=layer.title))
    return images.add(config, [*system.descriptors, *(layer.descriptor for layer in made)], [plan.name])


def _own_layer(packed: PackedTree, title: str) -> _Layer:
    return _Layer(packed.diff_id, layer_descriptor(packed), title)


def _wheel_layer(made: MadeLayer, planned: PlannedLayer, tree: _Tree) -> _Layer:
    return _Layer(made.diff_id, made.descriptor, f"labbox: {planned.title} in {tree.target.prefix}")
