"""Wheels as layers of real stores, in every mode."""

import gzip
import io
import os
import random
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from build.python.shelves import ENVIRONMENT, SITE, THRESHOLD, Shelf, blob_of, fill, make, make_image
from build.python.wheels import Lie, lying_wheel, plain_wheel
from labbox.build.python.layer_blob import write_blob
from labbox.build.python.layer_content import lay_out
from labbox.build.python.layer_memory import MadeLayer
from labbox.build.python.layer_plan import plan_layers, plan_one_layer
from labbox.build.python.layer_recipe import write_layer_blob
from labbox.build.python.open_wheels import open_wheels
from labbox.build.python.remake_layers import remake_layers
from labbox.build.python.target import MTIME, services_target
from labbox.build.python.wheel_file import read_wheel
from labbox.build.python.wheel_layers import make_wheel_layers, missing_wheels, wheel_overlaps
from labbox.errors import ArchiveError, DigestMismatchError, NotFoundError, UnsupportedError
from labbox.linux.idmap import single_identity
from labbox.oci.digest import Digest, sha256
from labbox.store.garbage import collect_garbage
from labbox.store.images import ImageStore
from labbox.store.layers import LayerStore
from labbox.store.ownership import ownership_of
from labbox.store.pack import pack_tree
from labbox.store.provide import provide_layers
from labbox.store.verify import verify_store
from store.people import Keeper


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A wheel with everything that installing has to do, and two of a namespace."""
    folder = tmp_path_factory.mktemp("wheels")
    for path in (folder, folder.parent):
        os.chmod(path, 0o755)
    numbers = random.Random(7).randbytes(1 << 20)
    busy = {
        "busy/__init__.py": b"", "busy/stored.bin": numbers[:200_000], "busy/" + "long" * 30 + ".py": b"x = 1\n",
        "busy-1.0.data/scripts/run": b"#!python\n", "busy-1.0.data/data/etc/busy.conf": b"a = b\n",
        "space/busy.py": b"",
        "busy/tool": b"#!/bin/sh\n", "busy/large.bin": numbers + bytes(2 << 20),
        "busy/more.bin": numbers[:999] * 3000,
    }  # fmt: skip
    stored, entry_points = ["busy/stored.bin"], "[console_scripts]\nbusy = busy:main\n"
    names = [f"{name}-1.0-py3-none-any.whl" for name in ("busy", "one", "two")]
    return fill(
        folder,
        (names[0], plain_wheel(busy, names[0], executable=["busy/tool"], stored=stored, entry_points=entry_points)),
        (names[1], plain_wheel({"space/__init__.py": b"#", "space/one.py": b"1"}, names[1])),
        (names[2], plain_wheel({"space/__init__.py": b"#", "space/two.py": b"2"}, names[2])),
    )


def repack(layers: LayerStore, made: MadeLayer) -> Any:
    path, mode = layers.directory(made.diff_id), ownership_of(layers.mode)
    return layers.run_mapped(lambda: pack_tree(path, mode=mode, newest=MTIME))


def test_layers_are_the_same_in_every_mode_and_pack_to_their_digests(keeper: Keeper, shelf: Shelf) -> None:
    def work(layers: LayerStore, images: ImageStore) -> Any:
        made = make(layers, shelf)
        for layer in made:
            assert layers.has(layer.diff_id)
            assert layers.record(layer.diff_id).is_canonical
            packed = repack(layers, layer)
            assert (packed.diff_id, packed.size_bytes, packed.entry_count) == (
                layer.diff_id, layer.tar_bytes, layer.entry_count,
            )  # fmt: skip
            assert sha256(gzip.decompress(blob_of(layers, layer, shelf))) == layer.diff_id
        assert verify_store(images, [layers]) == []
        assert os.listdir(os.path.join(layers.store_dir, "tmp")) == []
        return [(layer.diff_id, layer.descriptor.digest, layer.descriptor.size_bytes) for layer in made]

    found = keeper.run(work)
    assert [rest for _, *rest in found] == [list(blob) for blob in blobs(shelf)]
    # layout 1: the same wheels unpack to the same layers on any machine, in any mode, for ever
    assert [diff_id.hex[:16] for diff_id, *_ in found] == ["5a6f7dd9ae245438", "3effb9e79430581c", "aac414ea497738ea"]


def blobs(shelf: Shelf) -> Iterator[tuple[Digest, int]]:
    """Digest and length of each layer's archive, without a store."""
    for layer in plan_layers(shelf.wheels, THRESHOLD):
        with ExitStack() as opened:
            descriptors = open_wheels(layer.wheels, shelf.files, opened)
            pairs = zip(descriptors, layer.wheels, strict=True)
            wheels = [read_wheel(descriptor, wheel.file_name) for descriptor, wheel in pairs]
            yield write_blob(lay_out(wheels, ENVIRONMENT), descriptors, lambda _: None)


def test_a_layer_that_is_written_by_several_processes_is_whole(tmp_path: Path) -> None:
    contents = {f"large/{number}": bytes([number]) * (20 << 20) for number in range(6)}
    shelf = fill(tmp_path, ("large-1.0-py3-none-any.whl", plain_wheel(contents, "large-1.0-py3-none-any.whl")))
    layers = LayerStore(str(tmp_path / "store"), single_identity())
    told: list[tuple[int, int]] = []
    plan = plan_one_layer(shelf.wheels)
    (made,) = make_wheel_layers(
        plan, shelf.files, ENVIRONMENT, layers, str(tmp_path / "cache"), single_identity(),
        lambda _, done, total: told.append((done, total)),
    )  # fmt: skip
    assert repack(layers, made).diff_id == made.diff_id
    assert len(told) >= 4
    assert told[-1][0] == told[-1][1]
    layers.remove(made.diff_id)


def test_files_belong_to_developer_and_folders_above_to_root(keeper: Keeper, shelf: Shelf) -> None:
    def work(layers: LayerStore, _: ImageStore) -> Any:
        (made,) = make(layers, shelf, plan=plan_one_layer(shelf.wheels))
        return blob_of(layers, made, shelf)

    with tarfile.open(fileobj=io.BytesIO(keeper.run(work))) as archive:
        members = {member.name: member for member in archive}
        assert members.keys() >= {
            "opt",
            "opt/env",
            SITE,
            f"{SITE}/busy/tool",
            "opt/env/bin/busy",
            "opt/env/etc/busy.conf",
        }
        for name, member in members.items():
            assert (member.uid, member.gid) == ((0, 0) if name == "opt" else (1000, 1000))
            assert member.mtime == 315532800
            executable = member.isdir() or name.startswith("opt/env/bin/") or name.endswith("tool")
            assert member.mode == (0o755 if executable else 0o644)
        tar_names = archive.getnames()
        assert tar_names.index("opt/env") < tar_names.index("opt/env/bin") < tar_names.index("opt/env/bin/busy")
        script = archive.extractfile("opt/env/bin/run")
        assert script is not None
        assert script.read() == b"#!/opt/env/bin/python\n"


def test_services_belong_to_root(keeper: Keeper, shelf: Shelf) -> None:
    def work(layers: LayerStore, _: ImageStore) -> Any:
        (made,) = make(layers, shelf, plan=plan_one_layer(shelf.wheels), target=services_target("3.13"))
        return blob_of(layers, made, shelf)

    with tarfile.open(fileobj=io.BytesIO(keeper.run(work))) as archive:
        assert {(member.uid, member.gid) for member in archive} == {(0, 0)}
        assert "opt/labbox/bin/busy" in archive.getnames()


def test_a_second_call_needs_no_wheels(keeper: Keeper, shelf: Shelf) -> None:
    def work(layers: LayerStore, _: ImageStore) -> None:
        plan, cache = plan_layers(shelf.wheels, THRESHOLD), os.path.join(layers.store_dir, "..", "cache")
        assert {wheel.name for wheel in missing_wheels(plan, ENVIRONMENT, layers, cache)} == {"busy", "one", "two"}
        made = make(layers, shelf)
        assert missing_wheels(plan, ENVIRONMENT, layers, cache) == []
        assert make(layers, shelf, files={}) == made
        layers.remove(made[-1].diff_id)
        assert [wheel.name for wheel in missing_wheels(plan, ENVIRONMENT, layers, cache)] == ["busy"]
        assert make(layers, shelf) == made

    keeper.run(work)


def test_a_refused_wheel_leaves_nothing(keeper: Keeper, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        os.chmod(path, 0o755)
    liar = Lie("sample.py", b"honest", data=zlib.compress(b"honest")[2:-4], central={"crc": 5}, local={"crc": 5})
    shelf = fill(tmp_path, ("sample-1.0-py3-none-any.whl", lying_wheel(liar)))

    def work(layers: LayerStore, images: ImageStore) -> None:
        with pytest.raises(ArchiveError, match=r"sample-1\.0-py3.*sample\.py"):
            make(layers, shelf)
        assert layers.diff_ids() == []
        assert os.listdir(os.path.join(layers.store_dir, "tmp")) == []
        assert list(images.recipes.digests()) == []

    keeper.run(work)


only_one_mode = pytest.mark.parametrize("mode", ["root"], indirect=True)


@only_one_mode
def test_a_wheel_for_another_python_is_refused(keeper: Keeper, tmp_path: Path) -> None:
    name = "sample-1.0-cp312-cp312-manylinux_2_28_x86_64.whl"
    shelf = fill(tmp_path, (name, plain_wheel({"a.py": b""}, name)))
    with pytest.raises(UnsupportedError, match="cp312"):
        keeper.run(lambda layers, _: make(layers, shelf))


@only_one_mode
def test_a_wheel_that_is_missing_is_named(keeper: Keeper, shelf: Shelf) -> None:
    with pytest.raises(NotFoundError, match=r"one-1\.0-py3-none-any\.whl"):
        keeper.run(lambda layers, _: make(layers, shelf, files={}))


@only_one_mode
def test_packages_that_bring_the_same_path_are_named(keeper: Keeper, tmp_path: Path) -> None:
    shelf = fill(
        tmp_path,
        ("one-1.0-py3-none-any.whl", plain_wheel({"cv2/a.py": b"1", "cv2/b.py": b"1"}, "one-1.0-py3-none-any.whl")),
        ("two-1.0-py3-none-any.whl", plain_wheel({"cv2/a.py": b"2", "cv2/b.py": b"1"}, "two-1.0-py3-none-any.whl")),
    )

    def work(layers: LayerStore, _: ImageStore) -> Any:
        cache = os.path.join(layers.store_dir, "..", "cache")
        found = []
        for plan in (plan_one_layer(shelf.wheels), plan_layers(shelf.wheels, 10)):
            made = make(layers, shelf, plan=plan)
            overlaps = wheel_overlaps(plan, ENVIRONMENT, cache)
            assert wheel_overlaps(plan, ENVIRONMENT, cache) == overlaps
            found.append([overlap.describe() for overlap in overlaps])
        with tarfile.open(fileobj=io.BytesIO(blob_of(layers, made[1], shelf))) as archive:
            assert f"{SITE}/cv2/a.py" in archive.getnames()
        return found

    sentence = f"one and two both bring `/{SITE}/cv2/a.py`; that of two counts"
    assert keeper.run(work) == [[sentence], [sentence]]


@only_one_mode
@pytest.mark.parametrize("threshold", [10, 1 << 20])
def test_a_file_where_another_package_has_a_folder_is_refused(keeper: Keeper, tmp_path: Path, threshold: int) -> None:
    shelf = fill(
        tmp_path,
        ("one-1.0-py3-none-any.whl", plain_wheel({"a": b"1"}, "one-1.0-py3-none-any.whl")),
        ("two-1.0-py3-none-any.whl", plain_wheel({"a/b": b"2"}, "two-1.0-py3-none-any.whl")),
    )
    plan = plan_layers(shelf.wheels, threshold) if threshold == 10 else plan_one_layer(shelf.wheels)

    def work(layers: LayerStore, _: ImageStore) -> None:
        make(layers, shelf, plan=plan)
        wheel_overlaps(plan, ENVIRONMENT, os.path.join(layers.store_dir, "..", "cache"))

    with pytest.raises(ArchiveError, match=r"one.*two"):
        keeper.run(work)


def test_an_image_is_whole_without_its_archives_and_its_layers_come_back(keeper: Keeper, shelf: Shelf) -> None:
    def work(layers: LayerStore, images: ImageStore) -> None:
        image, made = make_image(layers, images, shelf)
        assert verify_store(images, [layers]) == []
        assert collect_garbage(images, [layers], list).layers == ()
        assert {layer.descriptor.digest for layer in made} == set(images.recipes.digests())
        assert images.list_images(layers.measure)[0].size_bytes == sum(layer.tar_bytes for layer in made)
        for layer in made:
            layers.remove(layer.diff_id)
        with pytest.raises(NotFoundError):
            provide_layers(images, layers, image)
        assert verify_store(images, [layers]) == []
        cache = os.path.join(layers.store_dir, "..", "cache")

        def make_again(digests: Any) -> None:
            remake_layers(digests, lambda _: shelf.files, layers, cache, layers._identity, lambda *_: None)

        assert len(provide_layers(images, layers, image, make=make_again)) == len(made)
        assert verify_store(images, [layers]) == []
        images.remove(image.id)
        collect_garbage(images, [layers], list)
        assert list(images.recipes.digests()) == []
        assert layers.diff_ids() == []

    keeper.run(work)


@only_one_mode
def test_an_archive_that_can_not_be_made_any_more_is_a_problem(keeper: Keeper, shelf: Shelf) -> None:
    def work(layers: LayerStore, images: ImageStore) -> Any:
        _, made = make_image(layers, images, shelf)
        images.recipes.remove(made[0].descriptor.digest)
        first = verify_store(images, [layers], with_contents=False)
        layers.remove(made[0].diff_id)
        second = verify_store(images, [layers], with_contents=False)
        return [(problem.kind, problem.detail[:8]) for problem in (*first, *second)]

    assert keeper.run(work) == [("missing", "archive "), ("missing", "layer sh")]


@only_one_mode
def test_other_wheels_under_the_same_names_make_no_archive(keeper: Keeper, shelf: Shelf, tmp_path: Path) -> None:
    other = plain_wheel({"space/__init__.py": b"#", "space/one.py": b"7"}, "one-1.0-py3-none-any.whl")
    (tmp_path / "other").write_bytes(other)
    one = next(wheel for wheel in shelf.wheels if wheel.name == "one")

    def work(layers: LayerStore, images: ImageStore) -> None:
        (made,) = make(layers, shelf, plan=plan_one_layer([one]))
        with pytest.raises(DigestMismatchError):
            write_layer_blob(
                images.recipes, made.descriptor.digest, {one.sha256: str(tmp_path / "other")}, lambda _: None
            )

    keeper.run(work)


PROGRAM = """
import sys
from labbox.build.python.layer_blob import write_blob
from labbox.build.python.layer_content import lay_out
from labbox.build.python.target import environment_target
from labbox.build.python.wheel_file import read_wheel
import os
names = [name.split("=") for name in sys.argv[1:]]
opened = [os.open(path, os.O_RDONLY) for _, path in names]
wheels = [read_wheel(descriptor, name) for descriptor, (name, _) in zip(opened, names)]
print(*write_blob(lay_out(wheels, environment_target("3.13")), opened, lambda _: None))
"""


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_no_interpreter_and_no_hash_seed_changes_a_byte(shelf: Shelf, seed: str) -> None:
    arguments = [f"{wheel.file_name}={shelf.files[wheel.sha256]}" for wheel in shelf.wheels]
    source = os.path.dirname(os.path.dirname(os.path.dirname(sys.modules["labbox.build.python"].__file__ or "")))
    environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": os.path.dirname(source), "PYTHONDONTWRITEBYTECODE": "1"}
    found = set()
    for python in sorted({sys.executable, *interpreters()}):
        done = subprocess.run([python, "-c", PROGRAM, *arguments], check=True, capture_output=True, env=environment)
        found.add(done.stdout)
    assert len(found) == 1


def interpreters() -> list[str]:
    """Other Pythons of this machine that are new enough for labbox."""
    candidates = [f"{folder}/python3.{minor}" for folder in ("/usr/bin", "/usr/local/bin") for minor in range(11, 16)]
    return [path for path in candidates if os.path.exists(path)]


def test_an_interrupt_leaves_nothing_and_the_next_call_makes_it(keeper: Keeper, shelf: Shelf) -> None:
    def interrupt(_stage: str, _done: int, _total: int) -> None:
        raise KeyboardInterrupt

    def work(layers: LayerStore, _: ImageStore) -> None:
        plan, cache = plan_layers(shelf.wheels, THRESHOLD), os.path.join(layers.store_dir, "..", "cache")
        with pytest.raises(KeyboardInterrupt):
            make_wheel_layers(plan, shelf.files, ENVIRONMENT, layers, cache, layers._identity, interrupt)
        assert layers.diff_ids() == []
        assert os.listdir(os.path.join(layers.store_dir, "tmp")) == []
        assert len(make(layers, shelf)) == len(plan)

    keeper.run(work)
