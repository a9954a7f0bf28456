"""Archives of wheel layers as others see them: one gzip file of many members, with the tree that labbox unpacked."""

import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from build.python.shelves import ENVIRONMENT, SITE, Shelf, blob_of, fill, make_image
from build.python.wheels import plain_wheel
from harness.dockerd import Docker
from labbox.linux.idmap import root_identity
from labbox.oci.digest import sha256
from labbox.oci.reference import parse_reference
from labbox.store.images import ImageStore
from labbox.store.layers import LayerStore
from store.test_peers import describe

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="peers unpack owners as root")


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    folder = tmp_path_factory.mktemp("wheels")
    contents = {f"many/{number}.py": b"x = 1\n" * number for number in range(300)}
    large = {
        "large/data.bin": os.urandom(1 << 20) * 3,
        "large/long" + "g" * 120 + ".py": b"",
        "large/stored": os.urandom(99_999),
    }
    return fill(
        folder,
        ("large-1.0-py3-none-any.whl", plain_wheel(large, "large-1.0-py3-none-any.whl", stored=["large/stored"])),
        ("many-1.0-py3-none-any.whl", plain_wheel(contents, "many-1.0-py3-none-any.whl", executable=["many/7.py"])),
    )


@pytest.fixture
def layout(tmp_path: Path, shelf: Shelf) -> Any:
    """A store whose image `lab:1` has the archives of its layers as blobs; and the folders of its layers."""
    images, layers = ImageStore(str(tmp_path / "store")), LayerStore(str(tmp_path / "store"), root_identity())
    image, made = make_image(layers, images, shelf)
    for layer in made:
        assert images.blobs.add(blob_of(layers, layer, shelf)) == layer.descriptor.digest
    assert image.names == (str(parse_reference("lab:1").with_default_tag()),)
    return images, [layers.directory(layer.diff_id) for layer in made]


def merged(folders: Any) -> Any:
    return {path: kept for folder in folders for path, kept in describe(folder).items()}


@needs("gzip")
def test_gnu_gzip_and_gnu_tar_read_every_member(layout: Any, tmp_path: Path) -> None:
    images, folders = layout
    (tmp_path / "gnu").mkdir()
    image = images.resolve("lab:1")
    for diff_id, descriptor in zip(image.diff_ids, images.manifest(image).layers, strict=True):
        path = images.blobs.path(descriptor.digest)
        with open(path, "rb") as blob:
            plain = subprocess.run(["gzip", "-dc"], stdin=blob, check=True, capture_output=True).stdout
        assert sha256(plain) == diff_id
        subprocess.run(["tar", "-xzf", path, "-C", tmp_path / "gnu"], check=True)
    assert describe(tmp_path / "gnu") == merged(folders)


@needs("umoci")
def test_umoci_unpacks_the_image(layout: Any, tmp_path: Path) -> None:
    images, folders = layout
    name = f"{images.store_dir}:docker.io/library/lab:1"
    subprocess.run(["umoci", "unpack", "--image", name, tmp_path / "bundle"], check=True)
    assert describe(tmp_path / "bundle/rootfs") == merged(folders)


@needs("skopeo")
def test_skopeo_copies_the_image_and_recompresses_nothing(layout: Any, tmp_path: Path) -> None:
    images, _ = layout
    source = f"oci:{images.store_dir}:docker.io/library/lab:1"
    subprocess.run(["skopeo", "copy", source, f"oci:{tmp_path}/copied:lab:1"], check=True)
    others = ImageStore(str(tmp_path / "copied"))
    image = images.resolve("lab:1")
    assert others.manifests() == [image.manifest_digest]
    assert all(others.blobs.has(layer.digest) for layer in images.manifest(image).layers)


def test_docker_loads_the_image_and_sees_its_files(layout: Any, docker: Docker, tmp_path: Path) -> None:
    images, _ = layout
    image = images.resolve("lab:1")
    archive = tmp_path / "image.tar"
    layers = [descriptor.digest for descriptor in images.manifest(image).layers]
    manifest = [
        {
            "Config": f"{image.id.hex}.json",
            "RepoTags": ["wheels:1"],
            "Layers": [f"{layer.hex}.tar.gz" for layer in layers],
        }
    ]
    with tarfile.open(archive, "w") as file:
        for name, data in (
            (f"{image.id.hex}.json", images.blobs.read(image.id)),
            *((f"{layer.hex}.tar.gz", images.blobs.read(layer)) for layer in layers),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            file.addfile(entry, io.BytesIO(data))
    loaded = docker("load", "-i", str(archive))
    assert loaded.returncode == 0, loaded.stderr
    assert docker("image", "inspect", "--format", "{{.Id}}", "wheels:1").stdout.strip() == str(image.id)
    created = docker("create", "--network", "none", "wheels:1", "sh")
    assert created.returncode == 0, created.stderr
    with open(tmp_path / "export.tar", "wb") as target:
        subprocess.run(docker.command("export", created.stdout.strip()), check=True, stdout=target)
    with tarfile.open(tmp_path / "export.tar") as exported:
        member = exported.getmember(f"{SITE}/many/7.py")
        assert (member.uid, member.gid, member.mode & 0o7777) == (ENVIRONMENT.uid, ENVIRONMENT.gid, 0o755)
        assert sum(1 for name in exported.getnames() if name.startswith(f"{SITE}/many/")) == 300
    docker("rmi", "-f", "wheels:1")
