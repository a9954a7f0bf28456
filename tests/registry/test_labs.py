"""Images of labs: layers that are no archives here travel once, and one more package is one more layer."""

import os
from pathlib import Path

import pytest

from build.python.shelves import fill, make_image
from build.python.wheels import plain_wheel
from labbox.actions.pull import PullRequest, pull_image
from labbox.actions.push import push_image
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.oci.reference import parse_reference
from labbox.settings import load_settings
from labbox.store.images import ImageStore
from labbox.store.layers import LayerStore
from registry.fake_registry import FakeRegistry

FIRST = ("one-1.0-py3-none-any.whl", "two-1.0-py3-none-any.whl")


def wheel(file_name: str) -> tuple[str, bytes]:
    return file_name, plain_wheel({f"{file_name.partition('-')[0]}.py": b"value = 1\n"}, file_name)


@pytest.fixture
def engine(tmp_path: Path) -> EmbeddedEngine:
    return EmbeddedEngine(load_settings({"LABBOX_HOME": str(tmp_path / "home")}), os.environ)


def test_after_one_more_package_one_layer_travels(engine: EmbeddedEngine, tmp_path: Path, fake: FakeRegistry) -> None:
    layers, images = LayerStore(engine.settings.store_dir, engine.identity), ImageStore(engine.settings.store_dir)
    environment = {"HOME": str(tmp_path)}
    sent = []
    for number, names in enumerate([FIRST, (*FIRST, "three-1.0-py3-none-any.whl")]):
        shelf = fill(tmp_path, *map(wheel, names))
        image, made = make_image(layers, images, shelf)
        assert not any(images.blobs.has(layer.descriptor.digest) for layer in made)
        name = parse_reference(f"{fake.host}/lab:{number}")
        images.tag(str(image.id), name)
        before = fake.count("PUT", "/uploads/")
        result = push_image(engine, name, environment, lambda *_: None)
        assert result.digest == image.manifest_digest
        sent.append(fake.count("PUT", "/uploads/") - before)

    assert sent == [3, 2]  # layers, and the config each time

    elsewhere = EmbeddedEngine(load_settings({"LABBOX_HOME": str(tmp_path / "elsewhere")}), os.environ)
    pulled = pull_image(elsewhere, PullRequest(name), environment, lambda *_: None)
    assert pulled.image.id == image.id
    assert pulled.digest == image.manifest_digest
    fetched = fake.count("GET", "/blobs/")
    assert fetched == 4
    again = pull_image(engine, PullRequest(name), environment, lambda *_: None)
    assert (again.was_present, fake.count("GET", "/blobs/")) == (True, fetched)
