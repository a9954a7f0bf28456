"""A layer of more packages on top of a system: its digest follows from the layers below, the packages and the epoch."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from labbox.build.children import Report
from labbox.build.clean_upper import make_layer_of_upper
from labbox.build.debian.chamber import call_as_system_root, call_in_chamber
from labbox.build.debian.extend import extend_system
from labbox.build.debian.plan import AssemblyPlan, script_environment
from labbox.build.debian.programs import make_runner
from labbox.build.system import open_packages
from labbox.engine.embedded.overlay import mount_overlay
from labbox.linux.idmap import Identity, single_identity
from labbox.lock.system import LockedDeb
from labbox.oci.digest import Digest
from labbox.store.layers import LayerStore
from labbox.store.ownership import ownership_of
from labbox.store.stack import StackedLayer
from labbox.store.tar_writer import PackedTree


def add_packages(
    debs: Sequence[LockedDeb],
    files: Mapping[str, str],
    below: Sequence[Digest],
    *,
    architecture: str,
    epoch: int,
    layers: LayerStore,
    identity: Identity,
    report: Report,
) -> PackedTree:
    """A new layer with `debs` (their files by sha256) on the layers `below` (lowest first), which hold a system.

    Hold `layers.creating()` until an image names the layer.
    """
    stack = [StackedLayer(layers.directory(diff_id), layers.side_table(diff_id)) for diff_id in reversed(below)]
    with layers.staging() as folder, ExitStack() as opened:
        plan = AssemblyPlan(
            packages=open_packages(debs, files, opened),
            architecture=architecture,
            epoch=epoch,
            ownership=ownership_of(identity.mode),
        )
        packed = call_as_system_root(
            single_identity() if identity.mode == "single" else identity,
            lambda report: _extend_overlay(folder, stack, plan, report),
            report,
        )
        layers.adopt(f"{folder}/upper", packed)
        return packed


def _extend_overlay(folder: str, stack: list[StackedLayer], plan: AssemblyPlan, report: Report) -> PackedTree:
    merged = f"{folder}/merged"
    os.mkdir(merged)

    def mount() -> str:
        mount_overlay([layer.root for layer in stack], f"{folder}/upper", f"{folder}/work", merged, volatile=True)
        return merged

    runner = make_runner(script_environment(plan.epoch), records_owners=plan.ownership == "recorded")
    call_in_chamber(mount, lambda report: extend_system(plan, runner, report), report)
    packed = make_layer_of_upper(f"{folder}/upper", stack, ownership=plan.ownership, epoch=plan.epoch)
    report("finish", 1, 1)
    return packed
