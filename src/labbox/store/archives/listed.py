"""What an archive says about one image."""

from typing import NamedTuple

from labbox.oci.reference import Reference


class ListedImage(NamedTuple):
    """An image by the bytes of its config and of its manifest, whose layers have been received, and its names.

    `is_manifest_made` says that the archive had no manifest and this one was made of what it has.
    """

    config: bytes
    manifest: bytes
    names: tuple[Reference, ...]
    is_manifest_made: bool = False
