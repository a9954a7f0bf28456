"""Archives that lie, loaded: refused, and nothing of them is kept."""

import gzip
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from labbox.actions.collect_garbage import collect_unused
from labbox.actions.load import load_images
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import LabboxError
from labbox.oci.digest import sha256
from labbox.settings import load_settings
from labbox.store.images import ImageStore
from store.archives import Piece, file, hardlink, symlink, tar

LAYER = tar(file("name", b"content"))
OTHER = tar(file("other", b"content"))
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
LAYOUT = file("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')


@pytest.fixture
def engine(tmp_path: Path) -> EmbeddedEngine:
    return EmbeddedEngine(load_settings({"LABBOX_HOME": str(tmp_path / "home")}), os.environ)


def encode(document: Any) -> bytes:
    return json.dumps(document).encode()


def config(*layers: bytes, **members: Any) -> bytes:
    diff_ids = [str(sha256(layer)) for layer in layers]
    rootfs = {"type": "layers", "diff_ids": diff_ids}
    return encode({"os": "linux", "architecture": "amd64", "rootfs": rootfs, **members})


def blob(data: bytes) -> Piece:
    return file(f"blobs/sha256/{sha256(data).hex}", data)


def listing(names: Any = ("it:1",), layers: tuple[str, ...] = ("layer.tar",), config_name: str = "c.json") -> Piece:
    return file("manifest.json", encode([{"Config": config_name, "RepoTags": names, "Layers": layers}]))


def descriptor(data: bytes, media_type: str = MANIFEST_TYPE, **members: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(sha256(data)), "size": len(data), **members}


def manifest(config_bytes: bytes, *layers: dict[str, Any]) -> bytes:
    pointer = descriptor(config_bytes, "application/vnd.oci.image.config.v1+json")
    return encode({"schemaVersion": 2, "config": pointer, "layers": layers})


def layer_pointer(data: bytes, suffix: str = "", **members: Any) -> dict[str, Any]:
    return descriptor(data, f"application/vnd.oci.image.layer.v1.tar{suffix}", **members)


def index(*entries: dict[str, Any]) -> Piece:
    return file("index.json", encode({"schemaVersion": 2, "manifests": entries}))


def load(engine: EmbeddedEngine, *pieces: Piece) -> list[str]:
    """The ids of what is loaded."""
    return [str(each.image.id) for each in load_images(engine, io.BytesIO(tar(*pieces)))]


def files_below(engine: EmbeddedEngine) -> list[str]:
    folder = engine.settings.store_dir
    return [name for part in ("blobs", "tmp") for _, _, names in os.walk(os.path.join(folder, part)) for name in names]


def test_an_archive_without_a_manifest_gives_an_image_of_its_layers(engine: EmbeddedEngine) -> None:
    told = config(LAYER)

    assert load(engine, listing(), file("c.json", told), file("layer.tar", LAYER)) == [str(sha256(told))]

    images = ImageStore(engine.settings.store_dir)
    image = images.resolve("it:1")
    assert [str(layer.digest) for layer in images.manifest(image).layers] == [str(sha256(LAYER))]


def test_a_layer_that_an_older_archive_links_to_is_found(engine: EmbeddedEngine) -> None:
    told = config(LAYER, LAYER)
    pieces = (listing(layers=("a/layer.tar", "b/layer.tar")), file("./c.json", told), file("x/layer.tar", LAYER))

    load(engine, *pieces, symlink("a/layer.tar", "../x/layer.tar"), hardlink("b/layer.tar", "x/layer.tar"))

    assert len(ImageStore(engine.settings.store_dir).resolve("it:1").diff_ids) == 2


def test_compressed_layers_keep_their_digests(engine: EmbeddedEngine) -> None:
    packed, told = gzip.compress(LAYER, mtime=0), config(LAYER)

    load(engine, listing(), file("c.json", told), file("layer.tar", packed))

    images = ImageStore(engine.settings.store_dir)
    (layer,) = images.manifest(images.resolve("it:1")).layers
    assert (str(layer.digest), layer.media_type[-4:]) == (str(sha256(packed)), "gzip")


def test_the_manifest_of_a_layout_is_kept_as_it_is(engine: EmbeddedEngine) -> None:
    told = config(LAYER)
    wanted = manifest(told, layer_pointer(LAYER)) + b"\n \n"
    name = {"io.containerd.image.name": "docker.io/library/it:2", "org.opencontainers.image.ref.name": "2"}

    load(engine, LAYOUT, index(descriptor(wanted, annotations=name)), blob(wanted), blob(told), blob(LAYER))

    image = ImageStore(engine.settings.store_dir).resolve("it:2")
    assert image.manifest_digest == sha256(wanted)


def test_of_several_platforms_the_one_of_this_machine_is_taken_and_statements_are_not(engine: EmbeddedEngine) -> None:
    mine, foreign = config(LAYER), config(LAYER, architecture="s390x")
    wanted, other = manifest(mine, layer_pointer(LAYER)), manifest(foreign, layer_pointer(LAYER))
    platforms = [{"os": "linux", "architecture": name} for name in ("s390x", "amd64", "unknown")]
    both = encode(
        {
            "schemaVersion": 2,
            "manifests": [
                descriptor(other, platform=platforms[0]),
                descriptor(wanted, platform=platforms[1]),
                descriptor(
                    other, platform=platforms[2], annotations={"vnd.docker.reference.type": "attestation-manifest"}
                ),
            ],
        }
    )
    pieces = (blob(both), blob(mine), blob(foreign), blob(wanted), blob(other), blob(LAYER))

    assert load(engine, LAYOUT, index(descriptor(both, INDEX_TYPE)), *pieces) == [str(sha256(mine))]


def test_an_image_takes_a_name_from_another_and_says_so(engine: EmbeddedEngine) -> None:
    first, second = config(LAYER), config(OTHER)
    load(engine, listing(), file("c.json", first), file("layer.tar", LAYER))

    (loaded,) = load_images(engine, io.BytesIO(tar(listing(), file("c.json", second), file("layer.tar", OTHER))))

    assert loaded.displaced == (("it:1", sha256(first)),)
    assert ImageStore(engine.settings.store_dir).resolve(str(sha256(first))).names == ()


CONFIG = config(LAYER)
GOOD = manifest(CONFIG, layer_pointer(LAYER))
LIES = {
    "nothing at all": ((), "no archive of images"),
    "a root file system": ((file("etc/passwd", b"root"),), "no archive of images"),
    "a manifest.json that is none": ((file("manifest.json", b"[["),), "manifest.json is not JSON"),
    "a manifest.json of something else": ((file("manifest.json", b"[1]"),), "expected an object"),
    "a huge manifest.json": ((file("manifest.json", b" " * (5 << 20)),), "too large"),
    "no config": ((listing(), file("layer.tar", LAYER)), "names `c.json`, which the archive does not have"),
    "a config that is none": ((listing(), file("c.json", b"no"), file("layer.tar", LAYER)), "not JSON"),
    "no layer": ((listing(), file("c.json", CONFIG)), "names `layer.tar`"),
    "a layer outside": ((listing(layers=("../layer.tar",)), file("c.json", CONFIG)), "names `../layer.tar`"),
    "a layer of this machine": ((listing(layers=("/etc/passwd",)), file("c.json", CONFIG)), "names `/etc/passwd`"),
    "a link to this machine": (
        (listing(), file("c.json", CONFIG), symlink("layer.tar", "/etc/passwd")),
        "names `layer.tar`",
    ),
    "links in a circle": (
        (listing(), file("c.json", CONFIG), symlink("layer.tar", "l"), symlink("l", "layer.tar")),
        "leads nowhere",
    ),
    "another layer": ((listing(), file("c.json", CONFIG), file("layer.tar", OTHER)), "expected"),
    "another layer, compressed": (
        (listing(), file("c.json", CONFIG), file("layer.tar", gzip.compress(OTHER))),
        "expected",
    ),
    "a layer that is no tar": ((listing(), file("c.json", CONFIG), file("layer.tar", b"x" * 1024)), "tar archive"),
    "too few layers": (
        (listing(layers=()), file("c.json", CONFIG)),
        "layers length mismatch: expected 1, got 0",
    ),
    "a name that is none": ((listing(["a b"]), file("c.json", CONFIG), file("layer.tar", LAYER)), "invalid tag"),
    "a name without a tag": ((listing(["it"]), file("c.json", CONFIG), file("layer.tar", LAYER)), "invalid tag"),
    "a blob under a false digest": (
        (LAYOUT, index(), file(f"blobs/sha256/{sha256(LAYER).hex}", OTHER)),
        "expected `sha256:",
    ),
    "a layout of tomorrow": (
        (file("oci-layout", b'{"imageLayoutVersion": "2.0.0"}'), index()),
        "is not 1.0.0",
    ),
    "a manifest that is missing": ((LAYOUT, index(descriptor(GOOD))), "does not have blob"),
    "a manifest of another size": (
        (LAYOUT, index({**descriptor(GOOD), "size": 3}), blob(GOOD), blob(CONFIG), blob(LAYER)),
        "bytes, not 3",
    ),
    "a layer that is missing": ((LAYOUT, index(descriptor(GOOD)), blob(GOOD), blob(CONFIG)), "does not have blob"),
    "an artifact": (
        (
            LAYOUT,
            index(descriptor(encode({"schemaVersion": 2, "config": descriptor(CONFIG, "x/y"), "layers": []}))),
            blob(encode({"schemaVersion": 2, "config": descriptor(CONFIG, "x/y"), "layers": []})),
            blob(CONFIG),
        ),
        "is no image",
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_an_archive_that_lies_is_refused_and_nothing_of_it_is_kept(engine: EmbeddedEngine, name: str) -> None:
    pieces, message = LIES[name]

    with pytest.raises(LabboxError) as caught:
        load(engine, *pieces)

    assert message in caught.value.message
    assert files_below(engine) == []
    assert ImageStore(engine.settings.store_dir).list_images() == []


def test_a_second_image_that_lies_takes_the_first_with_it(engine: EmbeddedEngine) -> None:
    items = [
        {"Config": "c.json", "RepoTags": [f"it:{number}"], "Layers": [layer]}
        for number, layer in enumerate(("good.tar", "bad.tar"))
    ]
    pieces = (file("manifest.json", encode(items)), file("c.json", CONFIG), file("good.tar", LAYER))

    with pytest.raises(LabboxError):
        load(engine, *pieces, file("bad.tar", OTHER))

    assert ImageStore(engine.settings.store_dir).list_images() == []


def test_an_archive_of_a_layer_that_is_here_must_be_that_layer_all_the_same(engine: EmbeddedEngine) -> None:
    load(engine, listing(), file("c.json", CONFIG), file("layer.tar", LAYER))

    with pytest.raises(LabboxError, match="unpacks to"):
        load(engine, listing(["evil:1"]), file("c.json", CONFIG), file("layer.tar", gzip.compress(OTHER)))

    assert ImageStore(engine.settings.store_dir).find("evil:1") is None


@pytest.mark.parametrize("cut", [1, 700, 1600, 3000])
def test_an_archive_cut_short_is_refused(engine: EmbeddedEngine, cut: int) -> None:
    data = tar(file("layer.tar", LAYER), file("c.json", CONFIG), listing())

    with pytest.raises(LabboxError):
        load_images(engine, io.BytesIO(data[:-cut] if cut > 1600 else data[:cut]))

    assert files_below(engine) == []


def test_a_folder_is_read_by_its_index_alone(engine: EmbeddedEngine, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    for entry, content in (LAYOUT, index(descriptor(GOOD)), blob(GOOD), blob(CONFIG), blob(LAYER)):
        path = layout / os.fsdecode(entry.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (layout / "manifest.json").write_bytes(b"of somebody else")

    (loaded,) = load_images(engine, str(layout))
    assert loaded.image.id == sha256(CONFIG)

    (layout / "blobs/sha256" / sha256(GOOD).hex).write_bytes(b"{}")
    ImageStore(engine.settings.store_dir).remove(loaded.image.id)
    collect_unused(engine)
    with pytest.raises(LabboxError, match="expected"):
        load_images(engine, str(layout))
