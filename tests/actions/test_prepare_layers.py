import os
from pathlib import Path

import pytest

from build.python.shelves import fill, make_image
from build.python.wheels import plain_wheel
from labbox.actions.prepare_layers import prepare_layers
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import LabboxError
from labbox.settings import load_settings
from labbox.store.images import ImageStore
from labbox.store.layers import LayerStore


def test_layers_of_wheels_that_are_gone_are_made_again(tmp_path: Path) -> None:
    settings = load_settings({"LABBOX_HOME": str(tmp_path / "home")})
    engine = EmbeddedEngine(settings, os.environ)
    layers, images = LayerStore(settings.store_dir, engine.identity), ImageStore(settings.store_dir)
    name = "sample-1.0-py3-none-any.whl"
    shelf = fill(tmp_path, (name, plain_wheel({"sample.py": b"value = 1\n"}, name)))
    image, made = make_image(layers, images, shelf)

    layers.remove(made[0].diff_id)
    prepare_layers(engine, image)
    assert layers.record(made[0].diff_id).is_canonical

    layers.remove(made[0].diff_id)
    (tmp_path / shelf.wheels[0].sha256).unlink()
    prepare_layers(engine, image)  # the wheel is in the cache by now
    assert layers.has(made[0].diff_id)

    layers.remove(made[0].diff_id)
    (tmp_path / "home/data/cache/wheels/sha256" / shelf.wheels[0].sha256).unlink()
    with pytest.raises(LabboxError, match="sample"):
        prepare_layers(engine, image)
