import json
from typing import Any

import pytest

from labbox.errors import ArchiveError
from labbox.oci.config import Healthcheck, History, ImageConfig, encode_config, parse_config
from labbox.oci.digest import Digest
from labbox.oci.platform import Platform

DOCKER_CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "os.version": "10",
    "created": "2024-01-02T03:04:05Z",
    "author": "A",
    "docker_version": "20.10",
    "config": {
        "User": "1000:1000",
        "Env": ["PATH=/bin", "A=b=c"],
        "Entrypoint": ["/entry"],
        "Cmd": None,
        "WorkingDir": "/w",
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        "Volumes": {"/data": {}},
        "Labels": {"k": "v"},
        "StopSignal": "SIGINT",
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 30000000000, "Retries": 3},
        "Shell": ["/bin/bash", "-c"],
        "OnBuild": ["RUN true"],
        "ArgsEscaped": True,
        "Tty": False,
    },
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "1" * 64]},
    "history": [{"created": "2024", "created_by": "x", "empty_layer": True}, {"comment": "c"}],
}


def test_everything_docker_says_is_read() -> None:
    config = parse_config(json.dumps(DOCKER_CONFIG).encode())
    assert config.platform == Platform("linux", "amd64")
    assert config.user == "1000:1000"
    assert config.environment == ("PATH=/bin", "A=b=c")
    assert config.entrypoint == ("/entry",)
    assert config.cmd is None
    assert config.exposed_ports == ("53/udp", "80/tcp")
    assert config.volumes == ("/data",)
    assert config.labels == {"k": "v"}
    assert config.healthcheck == Healthcheck(("CMD", "true"), interval_ns=30_000_000_000, retries=3)
    assert config.history == (History(created="2024", created_by="x", empty_layer=True), History(comment="c"))
    assert config.diff_ids == (Digest("sha256", "1" * 64),)
    assert config.args_escaped is True


def test_unknown_members_survive_a_round_trip() -> None:
    config = parse_config(json.dumps(DOCKER_CONFIG).encode())
    written = json.loads(encode_config(config))
    assert written["os.version"] == "10"
    assert written["docker_version"] == "20.10"
    assert written["config"]["Tty"] is False
    assert parse_config(encode_config(config)) == config


def test_an_empty_list_is_not_the_same_as_nothing_for_commands() -> None:
    bare = ImageConfig(Platform("linux", "amd64"))
    assert parse_config(encode_config(bare._replace(cmd=()))).cmd == ()
    assert parse_config(encode_config(bare)).cmd is None


def test_a_layer_and_a_variable_give_new_values() -> None:
    config = ImageConfig(Platform("linux", "amd64"), environment=("A=1", "B=2"))
    changed = config.with_environment("A", "3").with_environment("C", "4")
    assert changed.environment == ("A=3", "B=2", "C=4")
    assert config.environment == ("A=1", "B=2")
    layered = config.with_layer(Digest("sha256", "1" * 64), History(created_by="x"))
    assert len(layered.diff_ids) == len(layered.history) == 1


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"rootfs": None}, "image config.rootfs: expected an object"),
        ({"rootfs": {"diff_ids": ["x"]}}, "image config.rootfs.diff_ids[0]: invalid digest"),
        ({"config": {"Env": [1]}}, "image config.config.Env[0]: expected a string"),
        ({"config": {"Entrypoint": "sh"}}, "image config.config.Entrypoint: expected a list"),
        ({"config": []}, ""),
        ({"config": {"Labels": {"a": None}}}, "image config.config.Labels.a"),
        ({"history": {}}, "image config.history: expected a list"),
        ({"os": 3}, "image config.os"),
    ],
)
def test_a_faulty_config_names_the_fault(changes: Any, fault: str) -> None:
    data = json.dumps({**DOCKER_CONFIG, **changes}).encode()
    if not fault:
        assert parse_config(data).cmd is None
        return
    with pytest.raises(ArchiveError) as caught:
        parse_config(data)
    assert fault in caught.value.message
