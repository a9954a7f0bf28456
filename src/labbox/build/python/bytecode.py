"""Compiled Python as derived layers: for a layer with sources one more layer, of nothing but what its Python compiles.

Images do not hold it: it is a third of their size and follows from the sources. It is made by the lab's own
interpreter, in a chamber whose root is the lab's system, and kept as long as the store keeps the layer. Imports never
look at a source's time (unchecked hashes, PEP 552); Python 2.7, which knows nothing else, finds there the time that all
files of layers have.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from typing import NamedTuple

from labbox.build.children import Report
from labbox.build.debian.chamber import call_as_system_root, call_in_chamber
from labbox.build.debian.workers import run_in_workers
from labbox.build.known_layers import KnownLayers
from labbox.build.python.bytecode_tree import find_sources, settle_tree
from labbox.build.python.compiling import LAYER_TIME, Compiler, Portion, deal_portions, is_supported
from labbox.engine.embedded.overlay import mount_overlay
from labbox.linux import mounts
from labbox.linux.idmap import Identity, single_identity
from labbox.lock.lab import LockedInterpreter
from labbox.oci.digest import Digest
from labbox.store.layers import LayerStore
from labbox.store.ownership import Ownership, ownership_of
from labbox.store.pack import pack_tree
from labbox.store.tar_writer import PackedTree

_RECIPE = 2  # of the bytes: a change of the rules is a new number
_PLACE = ".labbox-bytecode"  # in the chamber's root; nothing of it stays


def make_bytecode_layers(
    targets: Sequence[Digest],
    below: Sequence[Digest],
    interpreter: LockedInterpreter,
    layers: LayerStore,
    cache_dir: str,
    identity: Identity,
    report: Report,
) -> list[Digest]:
    """A layer of compiled files for each target that has sources, in the order of the targets.

    `below` is the system that has the interpreter, lowest layer first. A layer made before is taken from the store.
    Reports the stage `bytecode` in sources. Hold `layers.creating()` until a container names the layers.
    """
    if not is_supported(interpreter):
        return []
    notes = KnownLayers(cache_dir, "bytecode")
    keys = {target: _key(target, below, interpreter) for target in targets}
    known = {target: notes.find(key, layers) for target, key in keys.items()}
    missing = [target for target, packed in known.items() if packed is None]
    if missing:
        with layers.staging() as folder:
            made = _build(missing, below, folder, interpreter, layers, identity, report)
            for number, (target, packed) in enumerate(zip(missing, made, strict=True)):
                layers.adopt(_tree(folder, number), packed)
                notes.remember(keys[target], packed)
                known[target] = packed
    found = [known[target] for target in targets]
    return [packed.diff_id for packed in found if packed is not None and packed.entry_count]


def _build(
    targets: Sequence[Digest],
    below: Sequence[Digest],
    folder: str,
    interpreter: LockedInterpreter,
    layers: LayerStore,
    identity: Identity,
    report: Report,
) -> list[PackedTree]:
    """Compile in `folder`, where each target gets a tree of its own, empty for one without sources."""
    room = _Room(
        sources=tuple(layers.directory(target) for target in targets),
        system=tuple(layers.directory(diff_id) for diff_id in reversed(below)),
        folder=folder,
    )
    return call_as_system_root(
        single_identity() if identity.mode == "single" else identity,
        lambda report: _compile_and_pack(room, Compiler(interpreter), ownership_of(identity.mode), report),
        report,
    )


class _Room(NamedTuple):
    """Layers to compile, the system's layers (topmost first), and the folder where all is made."""

    sources: tuple[str, ...]
    system: tuple[str, ...]
    folder: str


def _compile_and_pack(room: _Room, compiler: Compiler, ownership: Ownership, report: Report) -> list[PackedTree]:
    for name in ("merged", *map(str, range(len(room.sources)))):
        os.mkdir(f"{room.folder}/{name}", 0o755)
    files = [find_sources(layer) for layer in room.sources]
    portions = [
        portion
        for number, found in enumerate(files)
        for portion in deal_portions(found, f"/{_PLACE}/{number}-sources", f"/{_PLACE}/{number}-compiled")
    ]
    total = sum(len(found) for found in files)
    report("bytecode", 0, total)
    if portions:
        call_in_chamber(
            lambda: _mount_room(room), lambda report: _compile_all(portions, compiler, report, total), report
        )

    def settle_and_pack(number: int) -> PackedTree:
        tree = _tree(room.folder, number)
        settle_tree(tree, room.sources[number], ownership)
        return pack_tree(tree, mode=ownership, newest=LAYER_TIME)

    by_size = sorted(range(len(files)), key=lambda number: -len(files[number]))
    packed = dict(zip(by_size, run_in_workers(settle_and_pack, by_size), strict=True))
    return [packed[number] for number in range(len(files))]


def _compile_all(portions: Sequence[Portion], compiler: Compiler, report: Report, total: int) -> None:
    """As process 1 of the chamber: every portion, the largest first."""
    by_size = sorted(portions, key=lambda portion: -portion.size_bytes)
    counts = [len(portion.paths) for portion in by_size]
    run_in_workers(
        compiler.compile, by_size, progress=lambda done, _: report("bytecode", min(sum(counts[:done]), total), total)
    )


def _mount_room(room: _Room) -> str:
    """The system with a place where the sources can be read and compiled files written; in the chamber's mounts."""
    merged = f"{room.folder}/merged"
    mount_overlay(list(room.system), f"{room.folder}/upper", f"{room.folder}/work", merged, volatile=True)
    os.mkdir(f"{merged}/{_PLACE}", 0o755)  # fails, rather than follow a link, where an image has something of this name
    for number, layer in enumerate(room.sources):
        place = f"{merged}/{_PLACE}/{number}"
        _bind(layer, f"{place}-sources", read_only=True)
        _bind(_tree(room.folder, number), f"{place}-compiled", read_only=False)
    return merged


def _bind(source: str, target: str, *, read_only: bool) -> None:
    os.mkdir(target, 0o755)
    tree = mounts.open_tree(source, recursive=False)
    place = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if read_only:
            mounts.mount_setattr(tree, attr_set=mounts.MOUNT_ATTR_RDONLY, recursive=False, path=source)
        mounts.move_mount(tree, place, target)
    finally:
        os.close(place)
        os.close(tree)


def _tree(folder: str, number: int) -> str:
    return f"{folder}/{number}"


def _key(target: Digest, below: Sequence[Digest], interpreter: LockedInterpreter) -> str:
    shaping = [_RECIPE, str(target), [str(diff_id) for diff_id in below], interpreter.version, interpreter.path]
    return hashlib.sha256(json.dumps(shaping).encode()).hexdigest()
