"""Pulling from registries that fail, lie and stall."""

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.laboratory import Lab
from harness.modes import only_root
from harness.waiting import wait_until
from labbox.actions.image_layers import layer_store
from labbox.actions.pull import PullRequest, pull_image
from labbox.actions.pull_system import provide_system_image
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import DigestMismatchError, LabboxError, NotFoundError, RegistryError
from labbox.lock.lab import LockedImage
from labbox.oci.reference import parse_reference
from labbox.settings import load_settings
from labbox.store.garbage import collect_garbage
from labbox.store.images import ImageStore
from registry.fake_registry import MANIFEST, FakeRegistry, Fault, answer_with, cut_after
from registry.images import DOCKER_MANIFEST, layer_of, offer_image

LAYERS = [layer_of("first"), layer_of("second"), layer_of("third")]


@pytest.fixture
def engine(tmp_path: Path) -> EmbeddedEngine:
    return EmbeddedEngine(load_settings({"LABBOX_HOME": str(tmp_path / "home")}), os.environ)


def pull(engine: EmbeddedEngine, fake: FakeRegistry, name: str = "lab/x:1") -> Any:
    request = PullRequest(parse_reference(f"{fake.host}/{name}"))
    return pull_image(engine, request, {"HOME": engine.settings.data_dir}, lambda *_: None)


@pytest.mark.parametrize("kind", [MANIFEST, DOCKER_MANIFEST])
def test_both_kinds_of_manifests_are_pulled(engine: EmbeddedEngine, fake: FakeRegistry, kind: str) -> None:
    digest = offer_image(fake, "lab/x", "1", LAYERS, kind=kind)

    pulled = pull(engine, fake)

    assert str(pulled.digest) == str(pulled.image.manifest_digest) == digest
    assert len(pulled.image.diff_ids) == 3
    assert not pulled.was_present
    assert pull(engine, fake).was_present


def test_a_layer_that_occurs_twice_is_fetched_once(engine: EmbeddedEngine, fake: FakeRegistry) -> None:
    offer_image(fake, "lab/x", "1", [LAYERS[0], LAYERS[1], LAYERS[0]])

    assert len(pull(engine, fake).image.diff_ids) == 3
    assert fake.count("GET", "/blobs/") == 3


def test_nothing_of_a_registry_that_lies_gets_a_name(engine: EmbeddedEngine, fake: FakeRegistry) -> None:
    offer_image(fake, "lab/x", "1", LAYERS)
    liar = next(digest for digest, data in fake.blobs.items() if data == LAYERS[1])
    fake.blobs[liar] = LAYERS[0][:-1] + b"x"

    with pytest.raises(DigestMismatchError):
        pull(engine, fake)
    assert ImageStore(engine.settings.store_dir).list_images() == []


@pytest.mark.parametrize("lie", [1, -1])
def test_a_manifest_that_lies_about_sizes_is_refused(engine: EmbeddedEngine, fake: FakeRegistry, lie: int) -> None:
    offer_image(fake, "lab/x", "1", LAYERS, lie=lie)
    fake.faults.append(Fault("GET", "/nothing", answer_with(404)))

    with pytest.raises(LabboxError):
        pull(engine, fake)
    assert ImageStore(engine.settings.store_dir).list_images() == []


def test_cuts_and_busy_answers_are_outlived(engine: EmbeddedEngine, fake: FakeRegistry) -> None:
    offer_image(fake, "lab/x", "1", LAYERS)
    fake.faults += [
        Fault("GET", "/manifests/", answer_with(503, Retry_After="0")),
        Fault("GET", "/blobs/", cut_after(100), times=4),
        Fault("GET", "/blobs/", answer_with(429, Retry_After="0")),
    ]

    assert len(pull(engine, fake).image.diff_ids) == 3


def test_what_is_no_image_is_said_to_be_none(engine: EmbeddedEngine, fake: FakeRegistry) -> None:
    config = {"mediaType": "application/vnd.example.chart+json", "digest": fake.put_blob(b"{}"), "size": 2}
    fake.put_manifest("lab/x", "1", {"schemaVersion": 2, "config": config, "layers": []})

    with pytest.raises(LabboxError, match="is no image of a container"):
        pull(engine, fake)


def test_an_image_of_schema_1_is_refused(engine: EmbeddedEngine, fake: FakeRegistry) -> None:
    fake.put_manifest("lab/x", "1", {"schemaVersion": 1}, "application/vnd.docker.distribution.manifest.v1+prettyjws")

    with pytest.raises(LabboxError, match="is an image of Docker schema 1"):
        pull(engine, fake)


def test_a_private_image_says_how_to_log_in(engine: EmbeddedEngine, fake: FakeRegistry) -> None:
    fake.password = "secret"

    with pytest.raises(RegistryError, match="may require 'labbox login'") as caught:
        pull(engine, fake)
    assert caught.value.hint == f"Log in, or with another user: labbox login {fake.host}"


def test_the_system_that_a_lock_names_is_pulled(engine: EmbeddedEngine, fake: FakeRegistry) -> None:
    digest = offer_image(fake, "lab/system", "1", LAYERS[:1])
    offer_image(fake, "lab/system", "1", LAYERS[:2])  # the tag has moved on since it was locked
    locked = LockedImage(name=f"{fake.host}/lab/system:1", digest=digest)

    for _ in range(2):
        image = provide_system_image(engine, locked, {"HOME": engine.settings.data_dir})
        assert str(image.manifest_digest) == digest
    assert fake.count("GET", "/manifests/") == 1
    gone = LockedImage(name=f"{fake.host}/lab/system:1", digest=f"sha256:{'0' * 64}")
    with pytest.raises(NotFoundError, match="is not here, and cannot be pulled"):
        provide_system_image(engine, gone, {"HOME": engine.settings.data_dir})


@only_root
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_pull_ends_at_once_and_the_next_goes_on(
    lab: Lab, fake: FakeRegistry, ending: signal.Signals
) -> None:
    offer_image(fake, "lab/x", "1", LAYERS[:1])
    is_over, half = threading.Event(), len(LAYERS[0]) // 2

    def stall(handler: Any) -> None:
        data, _ = handler.wanted_blob()
        handler.start(200, {"Content-Length": str(len(data))})
        handler.wfile.write(data[:half])
        handler.wfile.flush()
        is_over.wait(60)
        handler.close_connection = True

    config, layer = fake.blobs
    fake.faults.append(Fault("GET", layer, stall))
    part = Path(lab.home, "data/store/partial", layer.replace(":", "-"))
    with lab.spawn("pull", f"{fake.host}/lab/x:1") as pulling:
        wait_until(lambda: part.exists() and part.stat().st_size > half - (1 << 17), what="half of it has come")
        pulling.send_signal(ending)
        assert pulling.wait(10) == -ending
    is_over.set()
    lab("image", "prune", "-f")  # keeps what may be taken up again

    lab.output("pull", f"{fake.host}/lab/x:1")

    (_, second) = fake.seen("GET", layer)
    assert int(second.headers["Range"].removeprefix("bytes=").removesuffix("-")) > half - (1 << 17)
    assert fake.count("GET", config) == 2  # prune has taken the config, which nothing named
    lab("rmi", "-f", f"{fake.host}/lab/x:1")


def test_prune_takes_old_parts_of_downloads_alone(engine: EmbeddedEngine) -> None:
    folder = Path(engine.settings.store_dir, "partial")
    folder.mkdir(parents=True)
    for name in ("old", "new"):
        (folder / name).write_bytes(b"part")
    os.utime(folder / "old", (0, 0))

    collect_garbage(ImageStore(engine.settings.store_dir), [layer_store(engine)], tuple)

    assert os.listdir(folder) == ["new"]
