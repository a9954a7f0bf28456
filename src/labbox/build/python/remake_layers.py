"""Layers of wheels unpacked again by their recipes: an image made in one mode, or whose layers are gone, run here."""

from collections.abc import Callable, Mapping, Sequence

from labbox.build.children import Report
from labbox.build.python.layer_recipe import read_recipe
from labbox.build.python.wheel_layers import make_wheel_layers, missing_wheels
from labbox.errors import DigestMismatchError
from labbox.linux.idmap import Identity
from labbox.lock.lab import LockedWheel
from labbox.oci.digest import Digest
from labbox.store.layers import LayerStore
from labbox.store.recipes import RecipeStore

# Brings wheels into the cache: sha256 → path.
FindFiles = Callable[[Sequence[LockedWheel]], Mapping[str, str]]


def remake_layers(
    digests: Sequence[Digest],
    find_files: FindFiles,
    layers: LayerStore,
    cache_dir: str,
    identity: Identity,
    report: Report,
) -> None:
    """Unpack the layers whose archives have these digests; raises NotFoundError for one without a recipe.

    Hold `layers.creating()` meanwhile. Raises DigestMismatchError when a layer does not come out as it was.
    """
    recipes = RecipeStore(layers.store_dir)
    wanted = [read_recipe(recipes, digest) for digest in digests]
    for target in dict.fromkeys(recipe.target for recipe in wanted):
        found = [recipe for recipe in wanted if recipe.target == target]
        plan = [recipe.layer for recipe in found]
        files = find_files(missing_wheels(plan, target, layers, cache_dir))
        made = make_wheel_layers(plan, files, target, layers, cache_dir, identity, report)
        for recipe, layer in zip(found, made, strict=True):
            if layer.diff_id != recipe.diff_id:
                raise DigestMismatchError(
                    f"layer `{recipe.diff_id}` ({recipe.layer.title}) comes out as `{layer.diff_id}`",
                    hint="build the image again",
                )
