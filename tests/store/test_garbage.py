import io
import os
from typing import Any

import pytest

from labbox.errors import ConflictError, NotFoundError, StoreError
from labbox.oci.digest import sha256
from labbox.oci.reference import parse_reference
from labbox.store.commit import import_tree
from labbox.store.garbage import collect_garbage
from labbox.store.images import ImageStore
from labbox.store.layers import LayerStore
from labbox.store.provide import provide_layers
from labbox.store.verify import verify_store
from store.archives import file, folder, tar
from store.people import Keeper
from store.sample import make_image


def collect(layers: LayerStore, images: ImageStore, *pinned: Any, **options: Any) -> Any:
    return collect_garbage(images, [layers], lambda: pinned, **options)


def test_what_no_name_needs_is_removed_in_every_mode(keeper: Keeper) -> None:
    def work(layers: LayerStore, images: ImageStore) -> Any:
        kept = make_image(layers, images, "kept", content="kept")
        gone = make_image(layers, images, "gone", content="gone")
        stray = images.blobs.add(b"stray")
        images.untag(parse_reference("gone"))
        garbage = collect(layers, images)
        assert set(garbage.blobs) == {gone.id, gone.manifest_digest, stray}
        assert garbage.layers == ((layers.mode, gone.diff_ids[0]),)
        assert garbage.blob_bytes > 5
        assert garbage.layer_bytes > 0
        assert layers.diff_ids() == list(kept.diff_ids)
        assert set(images.blobs.digests()) == {kept.id, kept.manifest_digest}
        assert verify_store(images, [layers]) == []
        assert collect(layers, images)[:4] == ((), 0, (), 0)

    keeper.run(work)


def test_an_image_that_a_container_uses_stays_whole(keeper: Keeper) -> None:
    def work(layers: LayerStore, images: ImageStore) -> Any:
        used = make_image(layers, images, "used")
        images.untag(parse_reference("used"))
        collect(layers, images, used.id)
        assert layers.has(used.diff_ids[0])
        assert set(images.blobs.digests()) == {used.id, used.manifest_digest}
        collect(layers, images)
        assert layers.diff_ids() == []
        assert list(images.blobs.digests()) == []

    keeper.run(work)


def test_layers_of_a_pinned_config_stay_even_without_its_manifest(keeper: Keeper) -> None:
    def work(layers: LayerStore, images: ImageStore) -> Any:
        used = make_image(layers, images, "used")
        images.untag(parse_reference("used"))
        images.blobs.remove(used.manifest_digest)
        collect(layers, images, used.id)
        assert layers.has(used.diff_ids[0])
        assert images.blobs.has(used.id)

    keeper.run(work)


def test_an_image_without_a_name_is_no_garbage(keeper: Keeper) -> None:
    def work(layers: LayerStore, images: ImageStore) -> Any:
        made = make_image(layers, images)
        collect(layers, images)
        assert images.resolve(str(made.id)) == made

    keeper.run(work)


def test_a_dry_run_removes_nothing(keeper: Keeper) -> None:
    def work(layers: LayerStore, images: ImageStore) -> Any:
        gone = make_image(layers, images, "gone")
        images.untag(parse_reference("gone"))
        garbage = collect(layers, images, is_dry_run=True)
        assert garbage.layers == ((layers.mode, gone.diff_ids[0]),)
        assert layers.has(gone.diff_ids[0])

    keeper.run(work)


def test_leftovers_of_killed_commands_are_removed(keeper: Keeper) -> None:
    def work(layers: LayerStore, images: ImageStore) -> Any:
        kept = make_image(layers, images, "kept")
        tmp = os.path.join(images.store_dir, "tmp")
        strays = [os.path.join(tmp, "blob-1"), os.path.join(images.store_dir, "index.json.77.tmp")]
        strays += [os.path.join(layers.layers_dir, name) for name in ("0" * 64 + ".json", "0" * 64 + ".json.7.tmp")]
        for path in strays:
            with open(path, "wb") as opened:
                opened.write(b"x")
        data = tar(folder("a", 0o000, uid=5), file("a/b", b"x", 0o000, uid=7))
        record = layers.unpack(io.BytesIO(data))
        left = os.path.join(tmp, "tree-1")
        layers.run_mapped(lambda: os.rename(layers.directory(record.diff_id), left))
        garbage = collect(layers, images)
        assert left in garbage.leftovers
        assert not any(os.path.lexists(path) for path in [*strays, left])
        assert verify_store(images, [layers]) == []
        assert images.resolve("kept") == kept
        names = {name.partition(".")[0] for name in os.listdir(layers.layers_dir)}
        assert names == {kept.diff_ids[0].hex}

    keeper.run(work)


def test_nothing_is_collected_while_an_image_is_made(keeper: Keeper) -> None:
    def work(layers: LayerStore, images: ImageStore) -> Any:
        with images.creating(), pytest.raises(ConflictError, match="in use by another command"):
            collect(layers, images)
        with layers.staging(), pytest.raises(ConflictError):
            collect(layers, images)

    keeper.run(work)


def test_pins_are_read_when_no_container_can_be_made_any_more(keeper: Keeper) -> None:
    def work(layers: LayerStore, images: ImageStore) -> Any:
        used = make_image(layers, images, "used")
        images.untag(parse_reference("used"))

        def read_pins() -> Any:
            with pytest.raises(ConflictError):
                collect(layers, images)
            return [used.id]

        collect_garbage(images, [layers], read_pins)
        assert layers.has(used.diff_ids[0])

    keeper.run(work)


def test_a_store_that_cannot_be_read_loses_nothing(keeper: Keeper) -> None:
    def work(layers: LayerStore, images: ImageStore) -> Any:
        made = make_image(layers, images, "made")
        images.blobs.remove(made.manifest_digest)
        with pytest.raises(StoreError, match="is missing"):
            collect(layers, images)
        assert layers.has(made.diff_ids[0])

    keeper.run(work)


def test_an_empty_store_has_no_garbage(keeper: Keeper) -> None:
    assert keeper.run(collect) == ((), 0, (), 0, ())


def test_missing_and_damaged_things_are_found(keeper: Keeper) -> None:
    def work(layers: LayerStore, images: ImageStore) -> Any:
        one, two, three = (make_image(layers, images, f"i{n}", content=str(n)) for n in range(3))
        images.blobs.remove(one.id)
        layers.remove(two.diff_ids[0])
        with open(images.blobs.path(three.id), "ab") as opened:
            opened.write(b" ")
        found = {(problem.kind, problem.subject) for problem in verify_store(images, [layers])}
        assert ("missing", f"image {one.id}") in found
        assert ("missing", f"image {two.id}") in found
        assert ("damaged", f"blob {three.id}") in found

    keeper.run(work)


def test_a_changed_file_in_a_layer_of_ours_is_found(keeper: Keeper) -> None:
    def work(layers: LayerStore, images: ImageStore) -> Any:
        packed, _ = import_tree(layers, io.BytesIO(tar(file("f", b"good"))))
        path = os.path.join(layers.directory(packed.diff_id), "f")

        def spoil() -> None:
            with open(path, "wb") as opened:
                opened.write(b"evil")

        layers.run_mapped(spoil)
        (problem,) = verify_store(images, [layers])
        assert (problem.kind, problem.subject) == ("damaged", f"layer {packed.diff_id} ({layers.mode})")
        assert verify_store(images, [layers], with_contents=False) == []

    keeper.run(work)


def test_layers_are_unpacked_from_blobs_when_they_are_missing(keeper: Keeper) -> None:
    data = tar(file("name", b"content"))

    def work(layers: LayerStore, images: ImageStore) -> Any:
        made = make_image(layers, images, "lab")
        layers.remove(made.diff_ids[0])
        with pytest.raises(NotFoundError, match="not unpacked for mode"):
            provide_layers(images, layers, made)
        images.blobs.add(data, expected=sha256(data))
        (path,) = provide_layers(images, layers, made)
        assert path == layers.directory(made.diff_ids[0])
        images.blobs.remove(sha256(data))
        assert provide_layers(images, layers, made) == [path]

    keeper.run(work)
