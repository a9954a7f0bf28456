import io
import os
import signal
import stat
import time
from typing import Any

import pytest

from labbox.errors import ArchiveError, DigestMismatchError, NotFoundError
from labbox.oci.digest import Digest, sha256
from labbox.store.images import ImageStore
from labbox.store.layers import LayerStore
from labbox.store.ownership import ownership_of
from labbox.store.pack import pack_tree
from labbox.store.verify import verify_store
from store.archives import file, folder, tar
from store.people import Keeper

DATA = tar(folder("home/me", 0o700, uid=1000, gid=1000), file("home/me/f", b"hello", uid=1000, gid=1000))


def leftovers(layers: LayerStore) -> Any:
    return os.listdir(os.path.join(layers._store_dir, "tmp"))


def test_an_unpacked_layer_has_a_folder_and_a_record(keeper: Keeper) -> None:
    def work(layers: LayerStore, _: Any) -> Any:
        record = layers.unpack(io.BytesIO(DATA), sha256(DATA))
        assert layers.has(record.diff_id)
        assert layers.diff_ids() == [sha256(DATA)]
        assert layers.record(record.diff_id) == record
        assert (record.tar_bytes, record.entry_count, record.is_canonical) == (len(DATA), 2, False)
        assert layers.measure(record.diff_id) == len(DATA)
        assert leftovers(layers) == []
        return layers.directory(record.diff_id)

    path = keeper.run(work)
    assert path == os.path.join(keeper.store_dir, "layers", keeper.mode, sha256(DATA).hex)
    if os.geteuid() == 0:
        assert os.path.exists(os.path.join(path, "home/me/f"))


def test_developer_is_you_on_disk(keeper: Keeper) -> None:
    keeper.run(lambda layers, _: layers.unpack(io.BytesIO(DATA)))
    path = os.path.join(keeper.store_dir, "layers", keeper.mode, sha256(DATA).hex, "home/me")
    if keeper.mode != "root":
        assert os.stat(path).st_uid == keeper.person.uid
    else:
        assert os.stat(path).st_uid == 1000


def test_a_layer_that_is_not_there_is_named(keeper: Keeper) -> None:
    def work(layers: LayerStore, _: Any) -> Any:
        with pytest.raises(NotFoundError, match=f"not unpacked for mode `{layers.mode}`"):
            layers.directory(sha256(b""))
        with pytest.raises(NotFoundError):
            layers.record(sha256(b""))
        assert not layers.has(sha256(b""))
        assert layers.measure(sha256(b"")) is None
        assert layers.diff_ids() == []

    keeper.run(work)


def test_another_digest_than_promised_leaves_nothing(keeper: Keeper) -> None:
    def work(layers: LayerStore, _: Any) -> Any:
        with pytest.raises(DigestMismatchError):
            layers.unpack(io.BytesIO(DATA), sha256(b"other"))
        assert layers.diff_ids() == []
        assert leftovers(layers) == []

    keeper.run(work)


def test_a_hostile_archive_leaves_nothing(keeper: Keeper) -> None:
    def work(layers: LayerStore, _: Any) -> Any:
        with pytest.raises(ArchiveError):
            layers.unpack(io.BytesIO(tar(folder("a", 0o000, uid=7), file("../x", b""))))
        assert layers.diff_ids() == []
        assert leftovers(layers) == []

    keeper.run(work)


def test_a_layer_that_is_there_is_not_unpacked_again(keeper: Keeper) -> None:
    class Unreadable(io.BytesIO):
        def read(self, *_: Any) -> Any:
            raise AssertionError("the archive is read")

    def work(layers: LayerStore, _: Any) -> Any:
        first = layers.unpack(io.BytesIO(DATA), sha256(DATA))
        assert layers.unpack(Unreadable(), sha256(DATA)) == first

    keeper.run(work)


def build(layers: LayerStore, tree: str) -> Any:
    def make() -> Any:
        os.makedirs(os.path.join(tree, "usr/bin"))
        with open(os.path.join(tree, "usr/bin/tool"), "wb") as tool:
            tool.write(b"#!/bin/sh\n")
        os.chmod(os.path.join(tree, "usr/bin/tool"), 0o4755)
        return pack_tree(tree, mode=ownership_of(layers.mode), newest=1_700_000_000)

    return layers.run_mapped(make)


def test_a_tree_that_labbox_built_becomes_a_layer_by_renaming(keeper: Keeper) -> None:
    def work(layers: LayerStore, images: ImageStore) -> Any:
        with layers.staging() as tree:
            assert stat.S_IMODE(os.stat(tree).st_mode) == 0o755
            packed = build(layers, tree)
            record = layers.adopt(tree, packed)
        assert record.is_canonical
        assert layers.has(packed.diff_id)
        assert leftovers(layers) == []
        with layers.staging() as tree:
            assert layers.adopt(tree, build(layers, tree)) == record
            assert not os.path.exists(tree)
        assert verify_store(images, [layers]) == []
        return str(packed.diff_id)

    # the same in every mode
    assert keeper.run(work) == "sha256:ea3469af051dd170303b32bf71c2c8fb5e69025232fe3810884ad1ada7193e28"


def build_half(layers: LayerStore) -> None:
    with layers.staging() as tree:
        build(layers, tree)
        raise RuntimeError("out of luck")


def test_staging_that_fails_leaves_nothing(keeper: Keeper) -> None:
    def work(layers: LayerStore, _: Any) -> Any:
        with pytest.raises(RuntimeError):
            build_half(layers)
        assert leftovers(layers) == []

    keeper.run(work)


def test_a_removed_layer_is_gone_with_its_record(keeper: Keeper) -> None:
    def work(layers: LayerStore, _: Any) -> Any:
        layers.unpack(io.BytesIO(DATA), sha256(DATA))
        layers.remove(sha256(DATA))
        assert not layers.has(sha256(DATA))
        assert os.listdir(layers.layers_dir) == []
        assert leftovers(layers) == []

    keeper.run(work)


def fork(function: Any) -> Any:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            function()
            status = 0
        finally:
            os._exit(status)
    return child


LARGE = tar(*(file(f"d{n}/f{m}", b"x" * 2000) for n in range(30) for m in range(30)))


def test_two_commands_that_unpack_one_layer_are_both_right(keeper: Keeper) -> None:
    def work(layers: LayerStore, images: ImageStore) -> Any:
        children = [fork(lambda: layers.unpack(io.BytesIO(LARGE), sha256(LARGE))) for _ in range(4)]
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0, 0]
        assert layers.record(sha256(LARGE)).entry_count == 900
        assert leftovers(layers) == []
        assert verify_store(images, [layers]) == []

    keeper.run(work)


def test_a_command_killed_while_it_unpacks_leaves_a_whole_store(keeper: Keeper) -> None:
    def work(layers: LayerStore, images: ImageStore) -> Any:
        for delay_ms in (1, 5, 10, 20, 40, 60, 90):
            child = fork(lambda: layers.unpack(io.BytesIO(LARGE), sha256(LARGE)))
            time.sleep(delay_ms / 1000)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            assert verify_store(images, [layers]) == []
            if layers.has(sha256(LARGE)):
                assert layers.record(sha256(LARGE)).entry_count == 900
                layers.remove(sha256(LARGE))
        assert layers.unpack(io.BytesIO(LARGE), sha256(LARGE)).entry_count == 900

    keeper.run(work)


def test_a_layer_by_sha512_cannot_be_mistaken_for_another(keeper: Keeper) -> None:
    def work(layers: LayerStore, _: Any) -> Any:
        with pytest.raises(DigestMismatchError):
            layers.unpack(io.BytesIO(DATA), Digest("sha512", "0" * 128))

    keeper.run(work)
