"""The store as others see it: umoci unpacks its layers, skopeo copies its images, and the trees are equal."""

import io
import os
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from labbox.linux.idmap import root_identity
from labbox.oci.digest import parse_digest
from labbox.oci.reference import parse_reference
from labbox.store.extract import extract_layer
from labbox.store.images import ImageStore
from labbox.store.layers import LayerStore
from labbox.store.stack import StackedLayer, export_stack
from store.archives import file, folder, hardlink, node, symlink, tar
from store.sample import make_image

LAYERS = [
    tar(
        folder("bin"), file("bin/sh", b"shell", 0o4755, mtime=5), hardlink("bin/ash", "bin/sh"),
        folder("d", 0o700, uid=1000), file("d/one", b"1"), file("d/two", b"2"), folder("gone"), file("gone/x", b""),
        symlink("link", "bin"), node("null", "character", (1, 3), 0o666), node("pipe", "fifo", mode=0o640),
        file("ü" * 120, b"long"),
    ),
    tar(file(".wh.gone", mode=0), folder("d", 0o711), file("d/.wh..wh..opq", mode=0), file("d/three", b"3")),
    tar(folder("d", 0o700), file("d/.wh.three", mode=0), file("link", b"a file"), folder("bin"), file("bin/new", b"")),
]  # fmt: skip


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="peers unpack owners and devices as root")


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """A store with one image of three layers, whose archives are kept as blobs."""
    images, layers = ImageStore(str(tmp_path / "store")), LayerStore(str(tmp_path / "store"), root_identity())
    first = make_image(layers, images, "base")
    manifest = images.manifest(first)
    config, descriptors = first.config._replace(diff_ids=(), history=()), []
    for data in LAYERS:
        digest = images.blobs.add(data)
        layers.unpack(io.BytesIO(data), digest)
        config = config.with_layer(digest, first.config.history[0])
        descriptors.append(manifest.layers[0]._replace(digest=digest, size_bytes=len(data)))
    images.add(config, descriptors, [parse_reference("lab:1")])
    images.untag(parse_reference("base"))
    return images, layers


def describe(root: Any) -> Any:
    found = {}
    for parent, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(parent, name)
            status = os.lstat(path)
            content = os.readlink(path).encode() if stat.S_ISLNK(status.st_mode) else b""
            if stat.S_ISREG(status.st_mode):
                with open(path, "rb") as opened:
                    content = opened.read()
            key = os.path.relpath(path, root)
            kept = (status.st_mode, status.st_uid, status.st_gid, status.st_rdev, status.st_nlink, content)
            found[key] = kept if not stat.S_ISDIR(status.st_mode) else kept[:3]
    return found


def export(images: ImageStore, layers: LayerStore, target: Any) -> Any:
    image = images.resolve("lab:1")
    stack = [StackedLayer(layers.directory(diff_id)) for diff_id in reversed(image.diff_ids)]
    buffer = io.BytesIO()
    export_stack(stack, mode="kept", write=buffer.write)
    target.mkdir()
    extract_layer(io.BytesIO(buffer.getvalue()), str(target), mode="kept")


@needs("umoci")
def test_umoci_unpacks_the_image_to_the_tree_that_labbox_shows(store: Any, tmp_path: Path) -> None:
    images, layers = store
    bundle = tmp_path / "bundle"
    subprocess.run(["umoci", "unpack", "--image", f"{images.store_dir}:docker.io/library/lab:1", bundle], check=True)
    export(images, layers, tmp_path / "exported")
    assert describe(tmp_path / "exported") == describe(bundle / "rootfs")


@needs("umoci")
def test_a_layer_that_umoci_made_is_unpacked(store: Any, tmp_path: Path) -> None:
    images, layers = store
    bundle, name = tmp_path / "bundle", f"{images.store_dir}:docker.io/library/lab:1"
    subprocess.run(["umoci", "unpack", "--image", name, bundle], check=True)
    (bundle / "rootfs/d/four").write_bytes(b"4")
    os.unlink(bundle / "rootfs/bin/new")
    os.setxattr(bundle / "rootfs/d/four", "user.kept", b"yes")
    subprocess.run(["umoci", "repack", "--image", name, bundle], check=True)
    image = images.resolve("lab:1")
    descriptor = images.manifest(image).layers[-1]
    assert descriptor.media_type.endswith("+gzip")
    with images.blobs.open(descriptor.digest) as stream:
        layers.unpack(stream, image.diff_ids[-1])
    path = layers.directory(image.diff_ids[-1])
    assert os.getxattr(os.path.join(path, "d/four"), "user.kept") == b"yes"
    assert stat.S_ISCHR(os.lstat(os.path.join(path, "bin/new")).st_mode)
    assert images.resolve(image.id.hex[:12]) == image


@needs("skopeo")
def test_skopeo_copies_the_image_and_what_it_wrote_is_read(store: Any, tmp_path: Path) -> None:
    images, layers = store
    copied = tmp_path / "copied"
    subprocess.run(
        ["skopeo", "copy", f"oci:{images.store_dir}:docker.io/library/lab:1", f"oci:{copied}:lab:1"], check=True
    )
    others = ImageStore(str(copied))
    before = images.resolve("lab:1")
    (digest,) = others.manifests()
    image = others.find(str(before.id))
    assert image is not None
    assert image.config == before.config
    again = LayerStore(str(tmp_path / "again"), root_identity())
    for diff_id, descriptor in zip(image.diff_ids, others.manifest(image).layers, strict=True):
        with others.blobs.open(descriptor.digest) as stream:
            again.unpack(stream, diff_id)
    assert parse_digest(str(digest)) == digest
    assert layers.diff_ids() != []


@needs("tar")
def test_gnu_tar_reads_an_exported_tree(store: Any, tmp_path: Path) -> None:
    images, layers = store
    export(images, layers, tmp_path / "exported")
    image = images.resolve("lab:1")
    stack = [StackedLayer(layers.directory(diff_id)) for diff_id in reversed(image.diff_ids)]
    with open(tmp_path / "x.tar", "wb") as archive:
        export_stack(stack, mode="kept", write=archive.write)
    (tmp_path / "gnu").mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "x.tar", "-C", tmp_path / "gnu"], check=True)
    assert describe(tmp_path / "gnu") == describe(tmp_path / "exported")


@needs("tar")
@pytest.mark.parametrize("dialect", ["v7", "ustar", "gnu", "oldgnu", "posix"])
def test_archives_of_gnu_tar_are_unpacked(store: Any, tmp_path: Path, dialect: str) -> None:
    images, layers = store
    export(images, layers, tmp_path / "exported")
    if dialect in ("v7", "ustar"):
        (tmp_path / "exported" / ("ü" * 120)).unlink()
    if dialect == "v7":
        (tmp_path / "exported/null").unlink()
        (tmp_path / "exported/pipe").unlink()
    command = ["tar", "--create", f"--format={dialect}", "--sort=name", "--directory", str(tmp_path / "exported"), "."]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    (tmp_path / "again").mkdir()
    extract_layer(io.BytesIO(data), str(tmp_path / "again"), mode="kept")
    assert describe(tmp_path / "again") == describe(tmp_path / "exported")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert len(archive.getnames()) == len(describe(tmp_path / "exported")) + 1
