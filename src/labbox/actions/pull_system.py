"""The image that a lab's definition or lock names as its system, pulled when it is not here."""

from collections.abc import Mapping

from labbox.actions.pull import PullRequest, pull_image
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import NotFoundError, RegistryError
from labbox.lock.lab import LockedImage
from labbox.oci.digest import parse_digest
from labbox.oci.reference import Reference, parse_reference
from labbox.store.images import ImageStore, StoredImage


def pull_system(engine: EmbeddedEngine, reference: Reference, environment: Mapping[str, str]) -> StoredImage:
    """The image of that name, from its registry; NotFoundError or RegistryError saying that it is not here either."""
    try:
        return pull_image(engine, PullRequest(reference), environment, lambda *_: None).image
    except (NotFoundError, RegistryError) as error:
        raise type(error)(
            f"the system `{reference.familiar}` is not here, and cannot be pulled: {error.message}",
            hint="`labbox images` lists what is here; `labbox login` gives access to private images.",
        ) from error


def provide_system_image(engine: EmbeddedEngine, locked: LockedImage, environment: Mapping[str, str]) -> StoredImage:
    """The very image that a lock names, pulled when it is not here; NotFoundError or RegistryError when it is gone."""
    name = f"{locked.name.partition('@')[0]}@{locked.digest}"
    found = ImageStore(engine.settings.store_dir).find(name)
    if found is not None:
        return found
    if locked.name.startswith("localhost/"):
        raise NotFoundError(
            f"the system `{locked.name}` ({locked.digest}) is not here; it was built on another machine, or removed",
            hint="`labbox lock --upgrade` builds its Dockerfile again and locks what comes out",
        )
    reference = parse_reference(name)._replace(tag="", digest=parse_digest(locked.digest))
    return pull_system(engine, reference, environment)
