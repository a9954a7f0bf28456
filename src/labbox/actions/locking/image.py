"""An image of the store as a lab's system: its digest, and the Pythons that answer in it."""

from collections.abc import Mapping
from contextlib import suppress

from labbox.actions.build_system import build_system
from labbox.actions.locking.system_part import SystemPart
from labbox.actions.pull_system import provide_system_image, pull_system
from labbox.build.interpreter import probe_system
from labbox.build.workshop import Workshop
from labbox.definition.values import Definition
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import NotFoundError, UnsupportedError
from labbox.lock.lab import LabLock, LockedImage
from labbox.lock.upgrade import Upgrade
from labbox.oci.reference import parse_reference
from labbox.store.images import ImageStore
from labbox.store.layers import LayerStore
from labbox.store.provide import provide_layers


def lock_image(
    engine: EmbeddedEngine,
    project: str,
    definition: Definition,
    old: LabLock | None,
    upgrade: Upgrade,
    environment: Mapping[str, str],
) -> SystemPart:
    """An image of the store as the system: its digest, and the Pythons that answer in a container of it."""
    images = ImageStore(engine.settings.store_dir)
    system = _choose(engine, images, project, definition, old, upgrade, environment)
    if definition.system_packages:
        raise UnsupportedError(
            f"system packages cannot be laid over the image `{system.name}`",
            hint="Put them into the image, or choose a Debian release as the system.",
        )
    layers = LayerStore(engine.settings.store_dir, engine.identity)
    with layers.creating():
        image = images.resolve(f"{system.name.partition('@')[0]}@{system.digest}")
        provide_layers(images, layers, image)
        workshop = Workshop(engine=engine, system=image.config.diff_ids, environment=environment)
        usual = probe_system(workshop)
        language = definition.python.version
        is_usual = language in (None, usual.interpreter.language)
        chosen = usual if is_usual else probe_system(workshop, f"python{language}")
    if usual.glibc is None:
        raise UnsupportedError(
            f"the image `{system.name}` has no glibc, which most wheels need", hint="Choose an image with glibc."
        )
    return SystemPart(
        system=system,
        glibc=usual.glibc,
        additions=(),
        interpreter=chosen.interpreter,
        services_interpreter=usual.interpreter,
    )


def _choose(
    engine: EmbeddedEngine,
    images: ImageStore,
    project: str,
    definition: Definition,
    old: LabLock | None,
    upgrade: Upgrade,
    environment: Mapping[str, str],
) -> LockedImage:
    """The image as it was locked, while it is to be had; else the one that has the name now, pulled when missing.

    A Dockerfile is built.
    """
    name = definition.system
    if name.startswith("./"):
        own = parse_reference(f"localhost/{definition.name}-system").with_default_tag()
        built = build_system(engine, project, name, own, environment)
        return LockedImage(name=own.familiar, digest=str(built.manifest_digest))
    reference = parse_reference(name).with_default_tag()
    if old is not None and isinstance(old.system, LockedImage) and not upgrade.everything:
        locked = old.system
        if locked.name == reference.familiar:
            with suppress(NotFoundError):  # gone from its registry: the name may stand for another now
                provide_system_image(engine, locked, environment)
                return locked
    found = images.find(str(reference)) or pull_system(engine, reference, environment)
    return LockedImage(name=reference.familiar, digest=str(found.manifest_digest))
