"""The recipe of a layer's archive: its wheels and its tree, to make the archive when the image leaves the machine."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from labbox.build.python.layer_blob import Write, write_blob
from labbox.build.python.layer_content import lay_out
from labbox.build.python.layer_memory import MadeLayer
from labbox.build.python.layer_plan import PlannedLayer
from labbox.build.python.open_wheels import open_wheels
from labbox.build.python.target import Target
from labbox.build.python.wheel_file import read_wheel
from labbox.errors import DigestMismatchError, StoreError, UnsupportedError
from labbox.lock.lab import LAYOUT_VERSION, LockedSource, LockedWheel
from labbox.oci.digest import Digest, parse_digest
from labbox.store.recipes import RecipeStore

_FORMAT = 1
_KIND = "wheels"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRecipe:
    """What a layer is made of, and what it unpacks to."""

    layer: PlannedLayer
    target: Target
    diff_id: Digest


def keep_recipe(recipes: RecipeStore, layer: PlannedLayer, target: Target, made: MadeLayer) -> None:
    """Keep the recipe of a layer, unless it is there."""
    if recipes.has(made.descriptor.digest):
        return
    document = {
        "version": _FORMAT,
        "kind": _KIND,
        "layout": LAYOUT_VERSION,
        "diff_id": str(made.diff_id),
        "prefix": target.prefix,
        "language": target.language,
        "owner": [target.uid, target.gid],
        "wheels": [_wheel_document(wheel) for wheel in layer.wheels],
    }
    recipes.write(made.descriptor.digest, document)


def read_recipe(recipes: RecipeStore, digest: Digest) -> LayerRecipe:
    """The recipe of an archive; raises NotFoundError when there is none, UnsupportedError for another labbox's."""
    document = recipes.read(digest)
    if (document.get("version"), document.get("kind"), document.get("layout")) != (_FORMAT, _KIND, LAYOUT_VERSION):
        raise UnsupportedError(
            f"the recipe of layer archive `{digest}` was written by another version of labbox",
            hint="build the image again",
        )
    try:
        uid, gid = document["owner"]
        return LayerRecipe(
            layer=PlannedLayer(wheels=tuple(_parse_wheel(wheel) for wheel in document["wheels"])),
            target=Target(prefix=document["prefix"], language=document["language"], uid=int(uid), gid=int(gid)),
            diff_id=parse_digest(document["diff_id"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"the recipe of layer archive `{digest}` is damaged", hint="build the image again") from error


def write_layer_blob(recipes: RecipeStore, digest: Digest, files: Mapping[str, str], write: Write) -> int:
    """Write the archive of this digest from its wheels (sha256 → path), byte for byte as it was; its length.

    Raises DigestMismatchError, with bytes written already, when the wheels are not the ones it was made of.
    """
    recipe = read_recipe(recipes, digest)
    with ExitStack() as opened:
        descriptors = open_wheels(recipe.layer.wheels, files, opened)
        named = zip(descriptors, recipe.layer.wheels, strict=True)
        wheels = [read_wheel(descriptor, wheel.file_name) for descriptor, wheel in named]
        found, size_bytes = write_blob(lay_out(wheels, recipe.target), descriptors, write)
    if found != digest:
        raise DigestMismatchError(
            f"layer archive `{digest}` comes out as `{found}`",
            hint="its wheels in the cache have changed: remove them and build the image again",
        )
    return size_bytes


def _wheel_document(wheel: LockedWheel) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": wheel.name,
        "version": wheel.version,
        "file_name": wheel.file_name,
        "url": wheel.url,
        "size": wheel.size,
        "sha256": wheel.sha256,
    }
    if wheel.source is not None:
        document["source"] = {"url": wheel.source.url, "sha256": wheel.source.sha256}
    return document


def _parse_wheel(document: Mapping[str, Any]) -> LockedWheel:
    source = document.get("source")
    return LockedWheel(
        name=document["name"],
        version=document["version"],
        file_name=document["file_name"],
        url=document["url"],
        size=int(document["size"]),
        sha256=document["sha256"],
        source=LockedSource(url=source["url"], sha256=source["sha256"]) if source else None,
    )
