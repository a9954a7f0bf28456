"""The image that a container is to be made of: found here, assembled from the Debian archive, or pulled."""

from labbox.errors import NotFoundError, UsageError
from labbox.lightweight_typing import Callable
from labbox.oci.reference import Reference, parse_reference
from labbox.settings import Settings
from labbox.store.images import ImageStore, StoredImage

PULL_POLICIES = ("always", "missing", "never")
_RELEASES = frozenset({"11", "12", "13", "bullseye", "bookworm", "trixie", "latest"})

# assembles a Debian release under a name: given the release (`debian:13`) and the name it is to have
Assemble = Callable[[str, str], None]
# pulls an image
Pull = Callable[[Reference], StoredImage]


def find_image(settings: Settings, name: str, *, pull: str, assemble: Assemble, fetch: Pull) -> StoredImage:
    """The image of this name; when it is missing and may be got, `assemble` makes it or `fetch` pulls it first.

    A Debian release is assembled, not pulled.

    Raises UsageError for what can be no name, NotFoundError when the image is not here and cannot be got.
    """
    if pull not in PULL_POLICIES:
        raise UsageError(f'invalid pull option: \'{pull}\': must be one of "always", "missing" or "never"')
    store = ImageStore(settings.store_dir)
    image = store.find(name)
    if image is not None and pull != "always":
        return image
    if pull == "never":
        raise NotFoundError(f"No such image: {familiar_name(name)}", hint="see `labbox images` for what is here")
    release = debian_release(name)
    if release is None:
        return fetch(parse_reference(name).with_default_tag())
    assemble(release, name)
    return store.resolve(name)


def debian_release(name: str) -> str | None:
    """The release to assemble for a name of a Debian system image (`debian`, `debian:13`, `debian:trixie-slim`)."""
    reference = parse_reference(name).with_default_tag()
    release = reference.tag.removesuffix("-slim")
    if reference.familiar_repository != "debian" or reference.digest is not None or release not in _RELEASES:
        return None
    return f"debian:{'13' if release == 'latest' else release}"


def familiar_name(name: str) -> str:
    """The name as docker's messages write it, with its tag."""
    return parse_reference(name).with_default_tag().familiar
