"""What `images` can say about an image: docker's fields, columns and JSON."""

from labbox.cli.clock import seconds_since, show_local
from labbox.cli.humanize import human_duration, human_size
from labbox.cli.listing import Field, Listing
from labbox.lightweight_typing import Any, NamedTuple
from labbox.store.image_sizes import ImageSize
from labbox.store.images import ImageSummary

NOTHING = "<none>"


class ImageRow(NamedTuple):
    """An image under one of its names in a listing; `users` counts the containers made of it."""

    image: ImageSummary
    now: float
    truncated: bool
    users: int
    size: ImageSize


def show_image_id(row: ImageRow) -> str:
    """The id, by default its first twelve digits."""
    return row.image.id.short if row.truncated else str(row.image.id)


def show_created(row: ImageRow) -> str:
    """How long ago the image was created; nothing when it does not say."""
    seconds = seconds_since(row.image.created, row.now)
    return "N/A" if seconds is None else f"{human_duration(seconds)} ago"


def describe_image(row: ImageRow) -> dict[str, Any]:
    """The image for `images --json`."""
    image = row.image
    return {
        "repository": image.repository or None,
        "tag": image.tag or None,
        "id": str(image.id),
        "digest": str(image.digest),
        "created": image.created or None,
        "size_bytes": row.size.size_bytes,
        "shared_bytes": row.size.shared_bytes,
        "unique_bytes": row.size.unique_bytes,
        "containers": row.users,
    }


FIELDS: dict[str, Field] = {
    "Repository": Field("REPOSITORY", lambda row: row.image.repository or NOTHING),
    "Tag": Field("TAG", lambda row: row.image.tag or NOTHING),
    "Digest": Field("DIGEST", lambda row: str(row.image.digest)),
    "ID": Field("IMAGE ID", show_image_id),
    "CreatedSince": Field("CREATED", show_created),
    "CreatedAt": Field("CREATED AT", lambda row: show_local(row.image.created) if row.image.created else "N/A"),
    "Size": Field("SIZE", lambda row: human_size(row.size.size_bytes)),
    "VirtualSize": Field("SIZE", lambda row: human_size(row.size.size_bytes, digits=4)),
    "Containers": Field("CONTAINERS", lambda row: str(row.users)),
    "SharedSize": Field("SHARED SIZE", lambda row: human_size(row.size.shared_bytes, digits=4)),
    "UniqueSize": Field("UNIQUE SIZE", lambda row: human_size(row.size.unique_bytes, digits=4)),
}
LISTING = Listing(FIELDS, "Repository Tag ID CreatedSince Size")
LISTING_WITH_DIGESTS = Listing(FIELDS, "Repository Tag Digest ID CreatedSince Size")
