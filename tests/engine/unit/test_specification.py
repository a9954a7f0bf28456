"""Specifications and states as documents on disk."""

import json

import pytest

from labbox.engine.specification import (
    ContainerSpec,
    ContainerState,
    GpuRequest,
    Mount,
    PortBinding,
    Resources,
    RestartPolicy,
    Security,
    Ulimit,
    spec_from_document,
    spec_to_document,
    state_from_document,
    state_to_document,
)
from labbox.errors import EngineError

FULL = ContainerSpec(
    id="a" * 64,
    name="box",
    image="debian:13",
    image_id="sha256:" + "b" * 64,
    diff_ids=("sha256:" + "c" * 64,),
    created="2026-01-01T00:00:00Z",
    command=("sh", "-c", "true"),
    environment=("A=1",),
    mounts=(Mount("bind", "/d", "/s", read_only=True), Mount("tmpfs", "/t", options=("size=1m",))),
    ports=(PortBinding(80, host_port=8080),),
    ulimits=(Ulimit("nofile", 1, 2),),
    resources=Resources(memory_bytes=1),
    security=Security(cap_add=("CHOWN",)),
    gpus=GpuRequest(device_ids=("0",)),
    restart=RestartPolicy("on-failure", 3),
    labels=(("k", "v"),),
)


@pytest.mark.parametrize("spec", [FULL, FULL._replace(gpus=None, mounts=(), labels=())])
def test_a_specification_is_the_same_after_json(spec: ContainerSpec) -> None:
    assert spec_from_document(json.loads(json.dumps(spec_to_document(spec)))) == spec


def test_a_state_is_the_same_after_json() -> None:
    state = ContainerState(status="running", pid=5, ports=(PortBinding(80),))
    assert state_from_document(json.loads(json.dumps(state_to_document(state)))) == state


def test_a_specification_of_a_newer_labbox_is_refused() -> None:
    with pytest.raises(EngineError, match="version `2`"):
        spec_from_document({**spec_to_document(FULL), "version": 2})
