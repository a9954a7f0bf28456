"""An image of the store as a lab's system: its digest, and the Pythons that answer in it."""

from collections.abc import Mapping

from labbox.actions.locking.system_part import SystemPart
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
    definition: Definition,
    old: LabLock | None,
    upgrade: Upgrade,
    environment: Mapping[str, str],
) -> SystemPart:
    """An image of the store as the system: its digest, and the Pythons that answer in a container of it."""
    images = ImageStore(engine.settings.store_dir)
    system = _choose(images, definition.system, old, upgrade)
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


def _choose(images: ImageStore, name: str, old: LabLock | None, upgrade: Upgrade) -> LockedImage:
    """The image as it was locked, while it is still here; else the one that has the name now."""
    if name.startswith("./"):
        raise UnsupportedError(
            f"this labbox does not build a lab's system from `{name}`",
            hint="Build the image elsewhere, `labbox import` it, and name it as the system.",
        )
    reference = parse_reference(name).with_default_tag()
    if old is not None and isinstance(old.system, LockedImage) and not upgrade.everything:
        locked = old.system
        if locked.name == reference.familiar and images.find(f"{locked.name.partition('@')[0]}@{locked.digest}"):
            return locked
    found = images.find(str(reference))
    if found is None:
        raise NotFoundError(
            f"the system `{name}` is neither a Debian release nor an image that is here",
            hint="`labbox images` lists what is here; `labbox import` adds an image.",
        )
    return LockedImage(name=reference.familiar, digest=str(found.manifest_digest))
