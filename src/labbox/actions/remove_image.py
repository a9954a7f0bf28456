"""`labbox rmi`: take a name from an image, or remove it; never what a container uses."""

from labbox.actions.container_images import users_of
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import ConflictError, UsageError
from labbox.oci.reference import Reference, parse_reference
from labbox.store.images import ImageStore, Removal, StoredImage


def remove_image(engine: EmbeddedEngine, name: str, *, force: bool) -> Removal:
    """Remove what `name` means: one name of an image, or by its id the image with all names.

    Raises NotFoundError, or ConflictError when containers use the image or an id has several names (unless forced).
    """
    store = ImageStore(engine.settings.store_dir)
    image = store.resolve(name)
    reference = name_of(image, name)
    if reference is not None:
        if len(image.names) == 1:
            _refuse_use(engine, image, name, force=force)
        return store.untag(reference)
    _refuse_use(engine, image, name, force=force)
    if len(image.names) > 1 and not force:
        raise ConflictError(
            f"conflict: unable to delete {image.id.short} (must be forced) - "
            "image is referenced in multiple repositories",
            hint=f"remove one name ({', '.join(map(_familiar, image.names))}), or all with --force",
        )
    return store.remove(image.id)


def name_of(image: StoredImage, name: str) -> Reference | None:
    """The image's name that the text spells, None when it is an id or the beginning of one."""
    try:
        reference = parse_reference(name).with_default_tag()
    except UsageError:
        return None
    return reference if str(reference) in image.names else None


def _refuse_use(engine: EmbeddedEngine, image: StoredImage, name: str, *, force: bool) -> None:
    """A running container keeps its image whatever is asked; a stopped one keeps it unless it is forced."""
    users = users_of(image, engine.list())
    running = [container for container in users if container.is_running]
    blocking = running if force else users
    if not blocking:
        return
    container = (running or users)[0]
    state = "running" if running else "stopped"
    must = "cannot be forced" if running else "must be forced"
    raise ConflictError(
        f'conflict: unable to remove "{name}" ({must}) - {state} container {container.spec.id[:12]} is using its '
        f"image {image.id.short}",
        hint=f"remove the container first: labbox rm {'-f ' if running else ''}{container.spec.name}",
    )


def _familiar(name: str) -> str:
    return parse_reference(name).familiar
