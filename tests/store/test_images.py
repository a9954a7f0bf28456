import json
import os
from pathlib import Path
from typing import Any

import pytest

from labbox.errors import ArchiveError, ConflictError, NotFoundError, StoreError, UsageError
from labbox.linux.idmap import root_identity
from labbox.oci import media_types
from labbox.oci.digest import sha256
from labbox.oci.manifest import Index, encode_index
from labbox.oci.reference import parse_reference
from labbox.store.images import ImageStore, Removal
from labbox.store.layers import LayerStore
from store.sample import BARE, make_image


@pytest.fixture
def images(tmp_path: Path) -> Any:
    return ImageStore(str(tmp_path / "store"))


@pytest.fixture
def layers(tmp_path: Path) -> Any:
    return LayerStore(str(tmp_path / "store"), root_identity())


def test_an_image_is_found_by_name_id_short_id_and_digest(images: ImageStore, layers: LayerStore) -> None:
    made = make_image(layers, images, "debian:13", "ghcr.io/org/tool:x")
    names = [
        "debian:13", "docker.io/library/debian:13", "ghcr.io/org/tool:x", str(made.id), made.id.hex, made.id.hex[:12],
        made.id.hex[:1], f"sha256:{made.id.hex[:7]}", f"debian@{made.manifest_digest}",
        f"ghcr.io/org/tool@{made.manifest_digest}",
    ]  # fmt: skip
    assert [name for name in names if images.resolve(name) != made] == []
    assert made.names == ("docker.io/library/debian:13", "ghcr.io/org/tool:x")
    assert made.config.cmd == ("sh",)
    assert made.diff_ids == made.config.diff_ids


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "No such image: nothing:latest"),
        ("debian:12", "No such image: debian:12"),
        ("ghcr.io/a/b", "No such image: ghcr.io/a/b:latest"),
        ("sha256:" + "0" * 64, "No such image: sha256:" + "0" * 64),
        ("0" * 64, "No such image: " + "0" * 64),
        ("debian@sha256:" + "0" * 64, "No such image: debian@sha256:" + "0" * 64),
    ],
)
def test_an_unknown_image_is_named_as_docker_names_it(
    images: ImageStore, layers: LayerStore, name: str, message: str
) -> None:
    make_image(layers, images, "debian:13")
    with pytest.raises(NotFoundError) as caught:
        images.resolve(name)
    assert caught.value.message == message
    assert images.find(name) is None


def test_an_empty_store_has_no_images(images: ImageStore) -> None:
    assert images.list_images() == []
    with pytest.raises(NotFoundError):
        images.resolve("debian")


def test_a_name_that_can_be_none_is_a_usage_error(images: ImageStore) -> None:
    with pytest.raises(UsageError, match="must be lowercase"):
        images.resolve("Debian")


def test_the_start_of_two_ids_is_ambiguous(images: ImageStore, layers: LayerStore) -> None:
    made = [make_image(layers, images, f"i{n}", content=str(n)) for n in range(20)]
    first = [image.id.hex[0] for image in made]
    twice = next(digit for digit in first if first.count(digit) > 1)
    with pytest.raises(ConflictError, match="is ambiguous"):
        images.resolve(twice)


def test_a_name_wins_over_the_start_of_an_id(images: ImageStore, layers: LayerStore) -> None:
    one = make_image(layers, images, "one", content="1")
    other = make_image(layers, images, one.id.hex[:6], content="2")
    assert images.resolve(one.id.hex[:6]) == other
    assert images.resolve("sha256:" + one.id.hex[:6]) == one


def test_a_name_moves_and_the_old_image_stays_without_it(images: ImageStore, layers: LayerStore) -> None:
    old = make_image(layers, images, "lab", content="old")
    new = make_image(layers, images, "lab", content="new")
    assert images.resolve("lab") == new
    assert images.resolve(str(old.id)).names == ()
    assert sorted((line.repository, line.tag, line.id) for line in images.list_images()) == sorted(
        [("", "", old.id), ("lab", "latest", new.id)]
    )


def test_an_image_that_has_another_name_leaves_no_nameless_entry(images: ImageStore, layers: LayerStore) -> None:
    old = make_image(layers, images, "lab", "kept", content="old")
    make_image(layers, images, "lab", content="new")
    assert images.resolve("kept") == old._replace(names=("docker.io/library/kept:latest",))
    assert len(images.list_images()) == 2


def test_an_image_without_a_name_gets_one_by_tagging(images: ImageStore, layers: LayerStore) -> None:
    made = make_image(layers, images)
    assert images.list_images()[0].repository == ""
    images.tag(made.id.hex[:8], parse_reference("lab:1"))
    images.tag("lab:1", parse_reference("localhost:5000/lab"))
    assert images.resolve("lab:1").names == ("docker.io/library/lab:1", "localhost:5000/lab:latest")
    assert len(images.list_images()) == 2


def test_the_same_image_twice_is_one(images: ImageStore, layers: LayerStore) -> None:
    assert make_image(layers, images, "lab") == make_image(layers, images, "lab")
    assert make_image(layers, images).id == images.resolve("lab").id
    assert len(images.list_images()) == 1


def test_untagging_takes_one_name_and_with_the_last_the_image(images: ImageStore, layers: LayerStore) -> None:
    made = make_image(layers, images, "a", "b")
    assert images.untag(parse_reference("a")) == Removal(("docker.io/library/a:latest",), None)
    assert images.untag(parse_reference("b")) == Removal(("docker.io/library/b:latest",), made.id)
    assert images.list_images() == []
    with pytest.raises(NotFoundError, match="No such image: b:latest"):
        images.untag(parse_reference("b"))


def test_removing_an_image_takes_all_its_names(images: ImageStore, layers: LayerStore) -> None:
    made = make_image(layers, images, "a", "b")
    kept = make_image(layers, images, "c", content="other")
    assert images.remove(made.id) == Removal(("docker.io/library/a:latest", "docker.io/library/b:latest"), made.id)
    assert [line.id for line in images.list_images()] == [kept.id]


def test_the_list_says_what_docker_images_shows(images: ImageStore, layers: LayerStore) -> None:
    made = make_image(layers, images, "ghcr.io/org/tool:1")
    (line,) = images.list_images(layers.measure)
    assert (line.repository, line.tag, line.digest, line.id) == ("ghcr.io/org/tool", "1", made.manifest_digest, made.id)
    assert line.created == "2024-01-01T00:00:00Z"
    assert line.size_bytes == layers.record(made.diff_ids[0]).tar_bytes


def test_a_pulled_manifest_keeps_its_digest(images: ImageStore, layers: LayerStore) -> None:
    made = make_image(layers, images, "a")
    data = json.dumps(json.loads(images.blobs.read(made.manifest_digest)), indent=3).encode()
    pulled = images.add_manifest(data, [parse_reference("b")])
    assert pulled.manifest_digest == sha256(data)
    assert pulled.id == made.id
    assert images.resolve(f"b@{sha256(data)}").names == ("docker.io/library/b:latest",)


def test_an_image_with_two_manifests_is_gone_when_both_have_lost_their_names(
    images: ImageStore, layers: LayerStore
) -> None:
    made = make_image(layers, images, "a")
    data = json.dumps(json.loads(images.blobs.read(made.manifest_digest)), indent=3).encode()
    images.add_manifest(data, [parse_reference("b")])
    assert images.untag(parse_reference("a")).deleted is None
    assert images.untag(parse_reference("b")).deleted == made.id


def test_a_manifest_without_its_config_is_refused(images: ImageStore, layers: LayerStore) -> None:
    made = make_image(layers, images, "a")
    data = images.blobs.read(made.manifest_digest)
    images.blobs.remove(made.id)
    with pytest.raises(NotFoundError, match="is not in the store"):
        images.add_manifest(data)


def test_an_index_is_no_single_image(images: ImageStore) -> None:
    with pytest.raises(ArchiveError, match="index of several images"):
        images.add_manifest(encode_index(Index(())))


def test_layers_and_diff_ids_must_agree(images: ImageStore) -> None:
    with pytest.raises(ValueError, match="0 layers for 1 diff_ids"):
        images.add(BARE._replace(diff_ids=(sha256(b""),)), [])


def test_the_store_is_an_oci_layout(images: ImageStore, layers: LayerStore, tmp_path: Path) -> None:
    make_image(layers, images, "a")
    assert json.loads((tmp_path / "store/oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((tmp_path / "store/index.json").read_text())
    (entry,) = index["manifests"]
    assert index["schemaVersion"] == 2
    assert entry["mediaType"] == media_types.OCI_MANIFEST
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == "docker.io/library/a:latest"


def test_an_index_written_by_others_is_read(images: ImageStore, layers: LayerStore, tmp_path: Path) -> None:
    made = make_image(layers, images, "a")
    path = tmp_path / "store/index.json"
    index = json.loads(path.read_text())
    del index["manifests"][0]["annotations"]["org.labbox.image.id"]
    path.write_text(json.dumps(index))
    assert images.resolve(made.id.hex[:10]).id == made.id
    assert images.resolve("a") == made


def test_a_damaged_index_says_so(images: ImageStore, layers: LayerStore, tmp_path: Path) -> None:
    make_image(layers, images, "a")
    (tmp_path / "store/index.json").write_text("{")
    with pytest.raises(StoreError, match="cannot read") as caught:
        images.resolve("a")
    assert caught.value.hint == "run `labbox doctor --store`"


def test_commands_that_tag_at_once_all_succeed(images: ImageStore, layers: LayerStore) -> None:
    made = make_image(layers, images, "a")
    children = []
    for number in range(8):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                for again in range(5):
                    images.tag(str(made.id), parse_reference(f"name{number}:{again}"))
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
    assert len(images.list_images()) == 41
