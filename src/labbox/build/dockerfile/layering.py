"""New layers made by changing a merged image in place, without a container.

The layers are merged by an overlay in a mount namespace of a child that is the root of images; what it writes is the
new layer. Paths are resolved inside the merged tree, so that no symlink of the image leads out.
"""

import os
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from labbox.build.clean_upper import make_layer_of_upper
from labbox.build.debian.chamber import call_as_system_root
from labbox.engine.embedded.overlay import mount_overlay
from labbox.linux import mounts, namespaces
from labbox.linux.idmap import Identity, single_identity
from labbox.oci.digest import Digest
from labbox.store.layers import LayerStore
from labbox.store.ownership import Ownership, SideEntry, ownership_of
from labbox.store.stack import StackedLayer
from labbox.store.tar_writer import PackedTree


class MergedTree(NamedTuple):
    """An image's files, writable: open root, its path, a folder for anything else, and what inodes cannot carry."""

    root: int
    path: str
    scratch: str
    ownership: Ownership
    side_table: dict[bytes, SideEntry]


Change = Callable[[MergedTree], bool]


class Layerer:
    """Makes layers; times in them are not younger than `epoch`."""

    def __init__(self, layers: LayerStore, identity: Identity, *, epoch: int | None) -> None:
        self.layers = layers
        self.ownership: Ownership = ownership_of(identity.mode)
        self._identity = single_identity() if identity.mode == "single" else identity
        self._epoch = epoch

    @property
    def newest(self) -> int:
        """The time that no file of a layer made now is younger than."""
        return self._epoch if self._epoch is not None else int(time.time()) + 1

    def stack(self, below: Sequence[Digest]) -> list[StackedLayer]:
        """Layers (lowest first) as a stack, topmost first."""
        return [
            StackedLayer(self.layers.directory(diff_id), self.layers.side_table(diff_id)) for diff_id in below[::-1]
        ]

    def make(self, below: Sequence[Digest], change: Change) -> PackedTree | None:
        """A layer of what `change` does to the layers `below`; None when it says that nothing changed.

        Hold `creating()` until an image names the layer.
        """
        stack, newest = self.stack(below), self.newest
        with self.layers.staging() as folder:
            made = call_as_system_root(
                self._identity, lambda _: _change_overlay(folder, stack, self.ownership, change, newest), _no_report
            )
            if made is None:
                return None
            packed, side_table = made
            self.layers.adopt(f"{folder}/upper", packed, side_table=side_table)
            return packed


def mount_merged(stack: Sequence[StackedLayer], folder: str) -> str:
    """Mount a stack in an empty folder of this mount namespace; what is written to it is lost."""
    os.mkdir(folder)
    os.mkdir(f"{folder}/merged")
    roots = [layer.root for layer in stack]
    mount_overlay(roots, f"{folder}/upper", f"{folder}/work", f"{folder}/merged", volatile=True)
    return f"{folder}/merged"


def _change_overlay(
    folder: str, stack: list[StackedLayer], ownership: Ownership, change: Change, newest: int
) -> tuple[PackedTree, dict[bytes, SideEntry]] | None:
    namespaces.unshare(namespaces.CLONE_NEWNS)
    mounts.set_propagation("/", mounts.MS_REC | mounts.MS_SLAVE)
    merged = f"{folder}/merged"
    os.mkdir(merged)
    mount_overlay([layer.root for layer in stack], f"{folder}/upper", f"{folder}/work", merged, volatile=True)
    root = os.open(merged, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    side_table: dict[bytes, SideEntry] = {}
    try:
        is_changed = change(MergedTree(root, merged, folder, ownership, side_table))
    finally:
        os.close(root)
        mounts.umount(merged)
    if not is_changed:
        return None
    packed = make_layer_of_upper(f"{folder}/upper", stack, ownership=ownership, epoch=newest, side_table=side_table)
    return packed, side_table


def _no_report(*_: object) -> None:
    return
