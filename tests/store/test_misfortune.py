"""A full disk and a kill at any moment: the store stays whole."""

import io
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from harness.people import current_person
from labbox.errors import StoreError
from labbox.linux import mounts, namespaces
from labbox.linux.idmap import root_identity
from labbox.oci.digest import sha256
from labbox.oci.reference import parse_reference
from labbox.store.commit import import_tree
from labbox.store.images import ImageStore
from labbox.store.layers import LayerStore
from labbox.store.verify import verify_store
from store.archives import file, tar
from store.people import run_as
from store.sample import make_image

LARGE = tar(*(file(f"f{n}", os.urandom(100_000)) for n in range(40)))


def fill(path: Path) -> None:
    with open(path, "wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk is mounted by root")
def test_a_full_disk_is_said_and_leaves_the_store_whole(tmp_path: Path) -> None:
    def work() -> Any:
        namespaces.unshare(namespaces.CLONE_NEWNS)
        mounts.mount("none", "/", "", mounts.MS_REC | mounts.MS_PRIVATE)
        mounts.mount("none", str(tmp_path), "tmpfs", 0, "size=2m")
        store = str(tmp_path / "store")
        layers, images = LayerStore(store, root_identity()), ImageStore(store)
        kept = make_image(layers, images, "kept")
        for attempt in (
            lambda: layers.unpack(io.BytesIO(LARGE)),
            lambda: layers.unpack(io.BytesIO(LARGE), sha256(LARGE)),
            lambda: import_tree(layers, io.BytesIO(LARGE)),
            lambda: images.blobs.add(LARGE),
            lambda: images.blobs.add_stream(io.BytesIO(LARGE), sha256(LARGE)),
        ):
            with pytest.raises(StoreError, match="no space left on") as caught:
                attempt()
            assert caught.value.hint
            assert os.listdir(os.path.join(store, "tmp")) == []
            assert verify_store(images, [layers]) == []
        with pytest.raises(OSError, match="No space left"):
            fill(tmp_path / "filler")
        with pytest.raises(StoreError, match="no space left on"):
            images.tag("kept", parse_reference("x" * 200 + ":" + "y" * 120))
        assert images.resolve("kept") == kept
        os.unlink(tmp_path / "filler")
        images.tag("kept", parse_reference("again"))

    run_as(current_person(), work)


def test_a_kill_at_any_moment_leaves_names_that_are_whole(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    layers, images = LayerStore(store, root_identity()), ImageStore(store)
    make_image(layers, images, "kept")
    for round_number in range(12):
        child = os.fork()
        if child == 0:
            try:
                number = 0
                while True:
                    make_image(layers, images, f"lab{number % 3}", content=f"{round_number} {number}")
                    images.untag(parse_reference(f"lab{number % 3}"))
                    number += 1
            finally:
                os._exit(1)
        time.sleep(0.01 + round_number * 0.007)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert verify_store(images, [layers]) == []
        assert images.resolve("kept").names == ("docker.io/library/kept:latest",)
