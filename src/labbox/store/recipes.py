"""How layers are made whose archives are not kept: small JSON documents by the digest of the archive.

    recipes/sha256/<hex>.json

A manifest may name an archive that is in the store as its recipe only. What a recipe says is understood by whoever
made it (`labbox.build`); here it is kept while an image needs it.
"""

import os

from labbox.errors import NotFoundError, StoreError
from labbox.files import make_private_folder, read_json, write_json
from labbox.lightweight_typing import Any, Iterator
from labbox.oci.digest import Digest

_SUFFIX = ".json"


class RecipeStore:
    """Recipes below `store_dir`."""

    def __init__(self, store_dir: str) -> None:
        self._folder = os.path.join(store_dir, "recipes", "sha256")

    def has(self, digest: Digest) -> bool:
        """True when it is known how to make the archive of this digest."""
        return os.path.exists(self._path(digest))

    def read(self, digest: Digest) -> dict[str, Any]:
        """A recipe; raises NotFoundError, or StoreError when it cannot be read."""
        try:
            document = read_json(self._path(digest))
        except FileNotFoundError as error:
            raise NotFoundError(f"there is no recipe of the layer archive `{digest}`") from error
        except ValueError as error:
            raise StoreError(f"cannot read recipe `{self._path(digest)}`: {error}") from error
        if not isinstance(document, dict):
            raise StoreError(f"cannot read recipe `{self._path(digest)}`: it is no JSON object")
        return document

    def write(self, digest: Digest, document: dict[str, Any]) -> None:
        """Keep a recipe. Hold `ImageStore.creating()` until an image names the archive."""
        make_private_folder(self._folder)
        write_json(self._path(digest), document)

    def digests(self) -> Iterator[Digest]:
        """Every archive with a recipe."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return
        for name in sorted(names):
            if name.endswith(_SUFFIX):
                yield Digest("sha256", name.removesuffix(_SUFFIX))

    def remove(self, digest: Digest) -> None:
        """Forget a recipe; one that is gone is no error."""
        try:
            os.unlink(self._path(digest))
        except FileNotFoundError:
            return

    def _path(self, digest: Digest) -> str:
        return f"{self._folder}/{digest.hex}{_SUFFIX}"
