"""Which containers use which images."""

from collections.abc import Iterable

from labbox.engine.embedded.records import Container
from labbox.errors import LabboxError
from labbox.settings import Settings
from labbox.store.images import ImageStore, StoredImage


def descends_from(settings: Settings, container: Container, image_name: str) -> bool:
    """True when the container's image is the named one or was made on top of it."""
    try:
        image = ImageStore(settings.store_dir).find(image_name)
    except LabboxError:
        return False
    if image is None:
        return container.spec.image == image_name
    layers = tuple(map(str, image.diff_ids))
    return container.spec.image_id == str(image.id) or (
        bool(layers) and container.spec.diff_ids[: len(layers)] == layers and len(container.spec.diff_ids) > len(layers)
    )


def users_of(image: StoredImage, containers: Iterable[Container]) -> list[Container]:
    """The containers made of exactly this image."""
    return [container for container in containers if container.spec.image_id == str(image.id)]
