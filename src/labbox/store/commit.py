"""New layers: of a container's changes (`commit`) and of a root filesystem's tar (`import`)."""

import os
import threading
from collections.abc import Callable, Sequence
from typing import BinaryIO

from labbox.store.diff import pack_changes
from labbox.store.extract import Extracted, extract_layer, extract_tree
from labbox.store.layers import LayerRecord, LayerStore
from labbox.store.ownership import Ownership, SideTable, ownership_of
from labbox.store.pack import pack_tree
from labbox.store.stack import StackedLayer
from labbox.store.tar_writer import PackedTree

_Write = Callable[[bytes | memoryview], object]


def commit_changes(
    layers: LayerStore,
    upper: StackedLayer,
    lowers: Sequence[StackedLayer],
    *,
    newest: int | None = None,
    placeholders: frozenset[bytes] = frozenset(),
) -> tuple[PackedTree, LayerRecord]:
    """A layer of what `upper` changes in `lowers` (topmost first), as `compare_layers` sees it.

    Neither is touched; hold `creating()` around it.
    """
    mode = ownership_of(layers.mode)

    def pack(write: _Write) -> PackedTree:
        return pack_changes(upper, lowers, mode=mode, newest=newest, placeholders=placeholders, write=write)

    with layers.staging() as tree:
        packed, side_table = layers.run_mapped(lambda: _pack_into(pack, tree, mode))
        return packed, layers.adopt(tree, packed, side_table=side_table)


def import_tree(layers: LayerStore, stream: BinaryIO) -> tuple[PackedTree, LayerRecord]:
    """A layer of a root filesystem's tar, compressed or not. Hold `creating()` around it."""
    mode = ownership_of(layers.mode)

    def unpack(tree: str) -> tuple[PackedTree, SideTable]:
        side_table = extract_tree(stream, tree, mode=mode)
        return pack_tree(tree, mode=mode, side_table=side_table), side_table

    with layers.staging() as tree:
        packed, side_table = layers.run_mapped(lambda: unpack(tree))
        return packed, layers.adopt(tree, packed, side_table=side_table)


def _pack_into(pack: Callable[[_Write], PackedTree], tree: str, mode: Ownership) -> tuple[PackedTree, SideTable]:
    """Pack in a thread and unpack what it writes, through a pipe: a clean copy without a second file on disk."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    answers: list[PackedTree | BaseException] = []

    def run() -> None:
        try:
            with open(writer, "wb", buffering=0) as pipe:
                answers.append(pack(lambda data: _write_all(pipe.fileno(), data)))
        except BaseException as error:  # noqa: BLE001  (raised again below, in the thread that waits)
            answers.append(error)

    thread = threading.Thread(target=run, name="pack", daemon=True)
    thread.start()
    extracted: Extracted | None = None
    try:
        with open(reader, "rb") as source:
            extracted = extract_layer(source, tree, mode=mode)
    finally:
        thread.join()
        if answers and isinstance(answers[0], BaseException) and not isinstance(answers[0], BrokenPipeError):
            raise answers[0]
    packed = answers[0]
    if isinstance(packed, BaseException):
        raise packed
    return packed, extracted.side_table


def _write_all(descriptor: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
