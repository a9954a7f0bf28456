"""From a lock's wheels to layers of the store: unpacked, with the digests of their tar and of their gzip file.

The wheels' tables of contents become the layers' contents. Then, spread over the processors, files are inflated and
written, those of large layers by several processes, and each layer whose files are there is hashed.
"""

import gc
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from labbox.build.children import Report
from labbox.build.debian.chamber import call_as_system_root
from labbox.build.python.layer_blob import write_blob
from labbox.build.python.layer_content import LayerContent, LayerEntry, lay_out
from labbox.build.python.layer_memory import Brought, LayerMemory, MadeLayer, layer_key
from labbox.build.python.layer_overlaps import Overlap, find_overlaps
from labbox.build.python.layer_plan import PlannedLayer
from labbox.build.python.layer_recipe import keep_recipe
from labbox.build.python.layer_tree import finish_tree, make_folders, write_files
from labbox.build.python.open_wheels import open_wheels
from labbox.build.python.target import Target
from labbox.build.python.task_pool import Task, run_tasks
from labbox.build.python.wheel_file import read_wheel
from labbox.build.python.wheel_name import check_wheel_fits
from labbox.linux.idmap import Identity, single_identity
from labbox.lock.lab import LockedWheel
from labbox.oci.descriptor import Descriptor
from labbox.oci.digest import Digest
from labbox.oci.media_types import OCI_LAYER_GZIP
from labbox.store.layers import LayerStore
from labbox.store.ownership import Ownership, ownership_of
from labbox.store.recipes import RecipeStore
from labbox.store.tar_writer import PackedTree

_SLICE_BYTES = 48 << 20


class _Job(NamedTuple):
    """A layer to be made: its number in the plan, its wheels, and their open files."""

    number: int
    layer: PlannedLayer
    descriptors: list[int]


class _Trees(NamedTuple):
    """What came out of some jobs, in their order: trees, archives, and what each package brings."""

    packed: list[PackedTree]
    archives: list[tuple[Digest, int]]
    brought: list[Brought]


def missing_wheels(
    plan: Sequence[PlannedLayer], target: Target, layers: LayerStore, cache_dir: str
) -> list[LockedWheel]:
    """The wheels whose files `make_wheel_layers` needs: those of layers that are not made, or not unpacked here."""
    memory = LayerMemory(cache_dir)
    unknown = [layer for layer in plan if _find(layer, target, layers, memory) is None]
    return [wheel for layer in unknown for wheel in layer.wheels]


def make_wheel_layers(
    plan: Sequence[PlannedLayer],
    files: Mapping[str, str],
    target: Target,
    layers: LayerStore,
    cache_dir: str,
    identity: Identity,
    report: Report,
) -> list[MadeLayer]:
    """The planned layers, unpacked in the store and with their recipes kept; `files` are wheels (sha256 → path).

    Hold `layers.creating()` until an image names them. Raises ArchiveError for a wheel that is malformed, hostile or
    not what it says, UnsupportedError for one of another Python or machine. Reports the stage `layers` in bytes.
    """
    memory, recipes = LayerMemory(cache_dir), RecipeStore(layers.store_dir)
    made = [_find(layer, target, layers, memory) for layer in plan]
    missing = [number for number, layer in enumerate(made) if layer is None]
    if missing:
        with ExitStack() as opened:
            jobs = [_open_job(number, plan[number], files, target, opened) for number in missing]
            for number, layer in _make(jobs, target, layers, identity, memory, report).items():
                made[number] = layer
    finished = [layer for layer in made if layer is not None]
    for planned, layer in zip(plan, finished, strict=True):
        keep_recipe(recipes, planned, target, layer)
    return finished


def wheel_overlaps(plan: Sequence[PlannedLayer], target: Target, cache_dir: str) -> list[Overlap]:
    """What packages of layers that are made bring at the same places; ArchiveError for a file in place of a folder."""
    memory = LayerMemory(cache_dir)
    keys = [layer_key(layer, target) for layer in plan]
    overlaps = memory.find_overlaps(keys)
    if overlaps is None:
        overlaps = find_overlaps(item for key in keys for item in memory.brought(key))
        memory.remember_overlaps(keys, overlaps)
    return overlaps


def _find(layer: PlannedLayer, target: Target, layers: LayerStore, memory: LayerMemory) -> MadeLayer | None:
    made = memory.find(layer_key(layer, target))
    return made if made is not None and layers.has(made.diff_id) else None


def _open_job(number: int, layer: PlannedLayer, files: Mapping[str, str], target: Target, opened: ExitStack) -> _Job:
    for wheel in layer.wheels:
        check_wheel_fits(wheel.file_name, target.language, os.uname().machine)
    return _Job(number, layer, open_wheels(layer.wheels, files, opened))


def _make(
    jobs: Sequence[_Job],
    target: Target,
    layers: LayerStore,
    identity: Identity,
    memory: LayerMemory,
    report: Report,
) -> dict[int, MadeLayer]:
    """Make layers in one folder, as the image's root, and move each to its place."""
    owner = ownership_of(identity.mode)
    with layers.staging() as folder:
        trees = call_as_system_root(
            single_identity() if identity.mode == "single" else identity,
            lambda report: _make_trees(folder, jobs, target, owner, report),
            report,
        )
        made = {}
        for job, packed, archive, brought in zip(jobs, *trees, strict=True):
            layers.adopt(_root_of(folder, job), packed)
            layer = MadeLayer(
                diff_id=packed.diff_id,
                tar_bytes=packed.size_bytes,
                entry_count=packed.entry_count,
                descriptor=Descriptor(OCI_LAYER_GZIP, *archive),
            )
            memory.remember(layer_key(job.layer, target), layer, brought)
            made[job.number] = layer
    return made


def _make_trees(folder: str, jobs: Sequence[_Job], target: Target, owner: Ownership, report: Report) -> _Trees:
    """In the image's user namespace: every layer's tree in a folder of its own."""
    gc.disable()  # a million small tuples live as long as this process, and would be looked through again and again
    contents = [_lay_out(job, target) for job in jobs]
    tasks: list[Task] = []
    ends: dict[int, tuple[int, int]] = {}  # place in `jobs` → tasks that give its tree and its archive
    for place in sorted(range(len(jobs)), key=lambda place: -_weight(contents[place].entries)):
        ends[place] = _add_tasks(tasks, _root_of(folder, jobs[place]), jobs[place], contents[place], owner)
    total = sum(task.weight for task in tasks)
    answers = run_tasks(tasks, progress=lambda done: report("layers", done, total))
    return _Trees(
        packed=[answers[ends[place][0]] for place in range(len(jobs))],
        archives=[answers[ends[place][1]] for place in range(len(jobs))],
        brought=[content.brought for content in contents],
    )


def _lay_out(job: _Job, target: Target) -> LayerContent:
    """A layer's content from its wheels' tables of contents: quicker here than brought back from a worker."""
    opened = zip(job.descriptors, job.layer.wheels, strict=True)
    return lay_out([read_wheel(descriptor, wheel.file_name) for descriptor, wheel in opened], target)


def _add_tasks(tasks: list[Task], root: str, job: _Job, content: LayerContent, owner: Ownership) -> tuple[int, int]:
    """The tasks of one layer: its files in slices, then its tree's digest, and its archive's."""
    os.mkdir(root, 0o755)
    make_folders(root, content)
    first = len(tasks)
    for entries in _slices(content.entries):
        write = partial(write_files, root, entries, content.file_names, job.descriptors, owner)
        tasks.append(Task(write, _weight(entries)))
    written = tuple(range(first, len(tasks)))
    tasks.append(Task(partial(finish_tree, root, content, owner), 0, written))
    tasks.append(Task(partial(write_blob, content, job.descriptors, _forget)))
    return len(tasks) - 2, len(tasks) - 1


def _slices(entries: Sequence[LayerEntry]) -> list[list[LayerEntry]]:
    """The files of a layer in pieces of about `_SLICE_BYTES`, the heaviest first; at least one."""
    slices: list[list[LayerEntry]] = [[]]
    weight = 0
    for item in entries:
        if item.source is None:
            continue
        if slices[-1] and weight + item.entry.size_bytes > _SLICE_BYTES:
            slices.append([])
            weight = 0
        slices[-1].append(item)
        weight += item.entry.size_bytes
    return sorted(slices, key=lambda piece: -_weight(piece))


def _weight(entries: Iterable[LayerEntry]) -> int:
    return sum(entry.size_bytes for entry, _ in entries)


def _root_of(folder: str, job: _Job) -> str:
    return f"{folder}/{job.number}"


def _forget(_data: bytes) -> None:
    """Where an archive goes of which only the digest is wanted."""
