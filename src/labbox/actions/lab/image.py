"""A lab's image: made from its lock and its services where it is not here yet."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labbox.actions.lab.record import LabRecord
from labbox.definition.values import Definition
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.lock.lab import LabLock, LockedImage
from labbox.lock.lab_file import format_lab_lock
from labbox.oci.digest import Digest, parse_digest
from labbox.oci.reference import Reference, parse_reference
from labbox.services.plan import ServicePlan
from labbox.settings import read_config
from labbox.store.images import ImageStore, StoredImage
from labbox.store.layers import LayerStore

if TYPE_CHECKING:
    from labbox.build.lab import BuiltLab

Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabImage:
    """An image with the layers derived from it on this machine; `key` says from what it was made.

    `notes` are for the user, and known only when the image was just made.
    """

    name: str
    key: str
    image: StoredImage
    derived: tuple[Digest, ...]
    notes: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """What a lab's record keeps of it."""
        return {
            "image": self.name,
            "image_id": str(self.image.id),
            "image_key": self.key,
            "derived": tuple(map(str, self.derived)),
        }


def provide_image(
    engine: EmbeddedEngine,
    definition: Definition,
    lock: LabLock,
    plan: ServicePlan,
    record: LabRecord,
    environment: Mapping[str, str],
    report: Report,
    *,
    again: bool = False,
) -> LabImage:
    """The lab's image, from the store when the record names one made from the same lock and services."""
    name = image_name(definition)
    key = _key(lock, plan)
    if not again and record.image_key == key and record.image == str(name):
        known = _find(engine, record)
        if known is not None:
            return LabImage(name=str(name), key=key, image=known[0], derived=known[1])
    from labbox.build.lab import compile_lab  # noqa: PLC0415  (as in build_image)

    built = build_image(engine, definition, lock, plan, environment, report)
    derived = compile_lab(built, engine, report)
    return LabImage(name=str(name), key=key, image=built.image, derived=derived, notes=built.notes)


def build_image(
    engine: EmbeddedEngine,
    definition: Definition,
    lock: LabLock,
    plan: ServicePlan,
    environment: Mapping[str, str],
    report: Report,
) -> "BuiltLab":
    """The image in the engine's store; what is there of it already is not made again."""
    # A second `up` needs none of this, and it is half of what labbox imports.
    from labbox.build.lab import LabPlan, build_lab  # noqa: PLC0415
    from labbox.build.lab_wheels import WheelSource  # noqa: PLC0415
    from labbox.packages.debian.archive import open_archive  # noqa: PLC0415

    if isinstance(lock.system, LockedImage):
        from labbox.actions.pull_system import provide_system_image  # noqa: PLC0415

        provide_system_image(engine, lock.system, environment)
    with open_archive(engine.settings.cache_dir, environment, read_config(engine.settings)) as archive:
        return build_lab(
            LabPlan(
                name=image_name(definition), lock=lock, files=plan.files, environment=plan.environment, ports=plan.ports
            ),
            engine,
            archive,
            WheelSource(engine=engine, environment=environment, indexes=definition.python.indexes),
            report,
        )


def image_name(definition: Definition) -> Reference:
    """The image's name: the lab's, at `localhost`, where no registry is meant."""
    return parse_reference(f"localhost/{definition.name}").with_default_tag()


def _find(engine: EmbeddedEngine, record: LabRecord) -> tuple[StoredImage, tuple[Digest, ...]] | None:
    """The recorded image with all its layers, derived ones too; None when anything is gone."""
    image = ImageStore(engine.settings.store_dir).find(record.image_id) if record.image_id else None
    layers = LayerStore(engine.settings.store_dir, engine.identity)
    derived = tuple(parse_digest(text) for text in record.derived)
    if image is None or not all(layers.has(diff_id) for diff_id in (*image.diff_ids, *derived)):
        return None
    return image, derived


def _key(lock: LabLock, plan: ServicePlan) -> str:
    digest = hashlib.sha256(format_lab_lock(lock).encode())
    digest.update(json.dumps([sorted((path, os.fsdecode(data)) for path, data in plan.files.items())]).encode())
    return digest.hexdigest()
