"""From a lock's wheels to layers of the store: unpacked, with the digests of their tar and of their gzip file.

In three steps, each spread over the processors: the wheels' tables of contents become the layers' contents; files
are inflated and written, the largest layers by several processes; each layer whose files are there is hashed.
"""

import gc
import os
from collections.abc import Mapping, Sequence
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


class _Result(NamedTuple):
    packed: PackedTree
    digest: Digest
    size_bytes: int


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
    not what it says, UnsupportedError for one of another Python or machine. Reports the stage `unpack` in bytes.
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
        results = call_as_system_root(
            single_identity() if identity.mode == "single" else identity,
            lambda report: _make_trees(folder, jobs, target, owner, report),
            report,
        )
        made = {}
        for job, (result, brought) in zip(jobs, results, strict=True):
            layers.adopt(f"{folder}/{job.number}", result.packed)
            descriptor = Descriptor(OCI_LAYER_GZIP, result.digest, result.size_bytes)
            layer = MadeLayer(
                diff_id=result.packed.diff_id,
                tar_bytes=result.packed.size_bytes,
                entry_count=result.packed.entry_count,
                descriptor=descriptor,
            )
            memory.remember(layer_key(job.layer, target), layer, brought)
            made[job.number] = layer
    return made


def _make_trees(
    folder: str, jobs: Sequence[_Job], target: Target, owner: Ownership, report: Report
) -> list[tuple[_Result, Brought]]:
    """In the image's user namespace: every layer's tree in a folder of its own, by the number of its job."""
    gc.disable()  # a million small tuples live as long as this process, and would be looked through again and again
    largest_first = sorted(jobs, key=lambda job: -sum(wheel.size for wheel in job.layer.wheels))
    contents = run_tasks([Task(partial(_lay_out, job, target)) for job in largest_first])
    tasks: list[Task] = []
    hashing: dict[int, int] = {}  # job → task
    for job, content in zip(largest_first, contents, strict=True):
        root = f"{folder}/{job.number}"
        os.mkdir(root, 0o755)
        make_folders(root, content)
        hashing[job.number] = _add_tasks(tasks, root, job, content, owner)
    total = sum(task.weight for task in tasks)
    answers = run_tasks(tasks, progress=lambda done: report("unpack", done, total))
    brought = {job.number: content.brought for job, content in zip(largest_first, contents, strict=True)}
    return [(answers[hashing[job.number]], brought[job.number]) for job in jobs]


def _lay_out(job: _Job, target: Target) -> LayerContent:
    opened = zip(job.descriptors, job.layer.wheels, strict=True)
    return lay_out([read_wheel(descriptor, wheel.file_name) for descriptor, wheel in opened], target)


def _add_tasks(tasks: list[Task], root: str, job: _Job, content: LayerContent, owner: Ownership) -> int:
    """The tasks of one layer: its files in slices, then its digests; the number of the last."""
    first = len(tasks)
    for entries in _slices(content.entries):
        write = partial(write_files, root, entries, content.file_names, job.descriptors, owner)
        tasks.append(Task(write, sum(entry.size_bytes for entry, _ in entries)))
    written = tuple(range(first, len(tasks)))
    tasks.append(Task(partial(_finish, root, job, content, owner), 0, written))
    return len(tasks) - 1


def _finish(root: str, job: _Job, content: LayerContent, owner: Ownership) -> _Result:
    digest, size_bytes = write_blob(content, job.descriptors, lambda _: None)
    return _Result(finish_tree(root, content, owner), digest, size_bytes)


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
    return sorted(slices, key=lambda piece: -sum(entry.size_bytes for entry, _ in piece))
