"""Layers that are no archives on this disk, written as archives on the way out."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from build.python.shelves import fill, make_image
from build.python.wheels import plain_wheel
from labbox.actions.load import load_images
from labbox.actions.save import choose_images, save_images
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import DigestMismatchError, LabboxError, NotFoundError
from labbox.oci.config import History
from labbox.oci.digest import sha256
from labbox.oci.reference import parse_reference
from labbox.settings import load_settings
from labbox.store.commit import import_tree
from labbox.store.images import ImageStore, StoredImage, layer_descriptor
from labbox.store.layers import LayerStore
from store import sample
from store.archives import file, tar

WHEEL = "sample-1.0-py3-none-any.whl"


@pytest.fixture
def engine(tmp_path: Path) -> EmbeddedEngine:
    return EmbeddedEngine(load_settings({"LABBOX_HOME": str(tmp_path / "home")}), os.environ)


def import_image(engine: EmbeddedEngine, *names: str, content: bytes = b"content") -> StoredImage:
    """An image of one canonical layer that is no blob."""
    layers, images = LayerStore(engine.settings.store_dir, engine.identity), ImageStore(engine.settings.store_dir)
    with images.creating():
        packed, record = import_tree(layers, io.BytesIO(tar(file("name", content))))
        config = sample.BARE.with_layer(record.diff_id, History(created_by="test"))
        return images.add(config, [layer_descriptor(packed)], [parse_reference(name) for name in names])


def save(engine: EmbeddedEngine, path: Path, *names: str) -> bytes:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        save_images(engine, names, descriptor)
    finally:
        os.close(descriptor)
    return path.read_bytes()


def test_layers_of_wheels_are_written_as_manifests_name_them(engine: EmbeddedEngine, tmp_path: Path) -> None:
    layers, images = LayerStore(engine.settings.store_dir, engine.identity), ImageStore(engine.settings.store_dir)
    shelf = fill(tmp_path, (WHEEL, plain_wheel({"sample.py": b"value = 1\n"}, WHEEL)))
    image, made = make_image(layers, images, shelf)
    assert not images.blobs.has(made[0].descriptor.digest)

    data = save(engine, tmp_path / "lab.tar", "lab:1")

    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        written = archive.extractfile(f"blobs/sha256/{made[0].descriptor.digest.hex}")
        assert written is not None
        assert sha256(written.read()) == made[0].descriptor.digest
    elsewhere = EmbeddedEngine(load_settings({"LABBOX_HOME": str(tmp_path / "elsewhere")}), os.environ)
    (loaded,) = load_images(elsewhere, io.BytesIO(data))
    assert loaded.image == image
    assert save(elsewhere, tmp_path / "again.tar", "lab:1") == data


def test_a_wheel_that_nobody_has_is_told_before_anything_is_written(engine: EmbeddedEngine, tmp_path: Path) -> None:
    layers, images = LayerStore(engine.settings.store_dir, engine.identity), ImageStore(engine.settings.store_dir)
    shelf = fill(tmp_path, (WHEEL, plain_wheel({"sample.py": b"value = 1\n"}, WHEEL)))
    make_image(layers, images, shelf)
    (tmp_path / shelf.wheels[0].sha256).unlink()

    with pytest.raises(LabboxError, match="sample"):
        save(engine, tmp_path / "lab.tar", "lab:1")

    assert (tmp_path / "lab.tar").read_bytes() == b""


def test_an_archive_of_the_same_images_is_the_same_archive(engine: EmbeddedEngine, tmp_path: Path) -> None:
    import_image(engine, "it:1", "it:2")

    first, second = (save(engine, tmp_path / f"{number}.tar", "it") for number in range(2))

    assert first == second


def test_a_layer_that_was_changed_on_disk_is_not_sent(engine: EmbeddedEngine, tmp_path: Path) -> None:
    image = import_image(engine, "it:1")
    layers = LayerStore(engine.settings.store_dir, engine.identity)
    path = os.path.join(layers.directory(image.diff_ids[0]), "name")
    layers.run_mapped(lambda: Path(path).write_bytes(b"CONTENT"))

    with pytest.raises(DigestMismatchError, match="were changed"):
        save(engine, tmp_path / "x.tar", "it:1")


def test_a_layer_that_is_nowhere_is_told(engine: EmbeddedEngine, tmp_path: Path) -> None:
    image = import_image(engine, "it:1")
    LayerStore(engine.settings.store_dir, engine.identity).remove(image.diff_ids[0])

    with pytest.raises(NotFoundError, match="cannot be made again"):
        save(engine, tmp_path / "x.tar", "it:1")


def test_names_choose_images_as_with_docker(engine: EmbeddedEngine) -> None:
    image, other = import_image(engine, "it:1", "it:2", "also/it:1"), import_image(engine, "that", content=b"that")
    store = ImageStore(engine.settings.store_dir)

    def chosen(*names: str) -> list[tuple[str, list[str]]]:
        return [(each.image.id.short, [name.familiar for name in each.names]) for each in choose_images(store, names)]

    assert chosen("it:1") == [(image.id.short, ["it:1"])]
    assert chosen("it") == [(image.id.short, ["it:1", "it:2"])]
    assert chosen("it", "it:2", "also/it:1") == [(image.id.short, ["it:1", "it:2", "also/it:1"])]
    assert chosen(image.id.short) == chosen(str(image.id)) == [(image.id.short, [])]
    assert chosen(f"it@{image.manifest_digest}") == [(image.id.short, [])]
    assert chosen("that", "it:1") == [(other.id.short, ["that:latest"]), (image.id.short, ["it:1"])]
    with pytest.raises(NotFoundError, match="No such image: also/other:latest"):
        chosen("it:1", "also/other")


@pytest.mark.parametrize("flags", [os.O_APPEND, 0])
def test_blobs_are_copied_to_any_descriptor(engine: EmbeddedEngine, tmp_path: Path, flags: int) -> None:
    layers, images = LayerStore(engine.settings.store_dir, engine.identity), ImageStore(engine.settings.store_dir)
    image = sample.make_image(layers, images, "it:1")
    images.blobs.add(tar(file("name", b"content")), image.diff_ids[0])
    descriptor = os.open(tmp_path / "x.tar", os.O_WRONLY | os.O_CREAT | flags, 0o600)

    save_images(engine, ["it:1"], descriptor)
    os.close(descriptor)

    with tarfile.open(tmp_path / "x.tar") as archive:
        assert f"blobs/sha256/{image.diff_ids[0].hex}" in archive.getnames()
