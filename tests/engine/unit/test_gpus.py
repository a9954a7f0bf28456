"""GPUs by the container device interface; real cards are tried where there are some."""

import json
from pathlib import Path

import pytest

from labbox.engine.embedded.cdi import find_devices
from labbox.engine.embedded.gpus import list_gpus, plan_gpus
from labbox.engine.embedded.plain_yaml import parse_yaml
from labbox.engine.specification import GpuRequest
from labbox.errors import EngineError

YAML = """\
---
cdiVersion: 0.5.0
kind: nvidia.com/gpu
containerEdits:
  deviceNodes:
  - path: /dev/nvidiactl
  env:
  - NVIDIA_VISIBLE_DEVICES=void
  hooks:
  - hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
    args:
    - nvidia-cdi-hook
    - create-symlinks
    - --link
    - libcuda.so.1::/usr/lib/libcuda.so
  - hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
    args: ["is beyond"]
  mounts:
  - hostPath: /usr/lib/libcuda.so.1
    containerPath: /usr/lib/libcuda.so.1
    options:
    - ro
    - nosuid
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
- name: all
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
    - path: /dev/nvidia1
      hostPath: /dev/other1
""".replace('    args: ["is beyond"]\n', "    args:\n    - chmod\n")


def described(folder: Path) -> tuple[str, ...]:
    (folder / "nvidia.yaml").write_text(YAML)
    return (str(folder),)


def test_a_device_gets_the_edits_of_its_file_and_its_own(tmp_path: Path) -> None:
    found = find_devices(GpuRequest(device_ids=("0",)), described(tmp_path))
    assert found is not None
    operations, environment = found
    assert environment == ["NVIDIA_VISIBLE_DEVICES=void"]
    assert [(name, entry.get("target")) for name, entry in operations] == [
        ("bind", "/dev/nvidiactl"),
        ("bind", "/usr/lib/libcuda.so.1"),
        ("link", "libcuda.so.1"),
        ("bind", "/dev/nvidia0"),
    ]
    assert operations[1][1]["read_only"] is True
    assert operations[0][1]["devices"] is True


def test_all_devices_are_the_one_called_all(tmp_path: Path) -> None:
    found = find_devices(GpuRequest(number=-1), described(tmp_path))
    assert found is not None
    assert [entry["source"] for name, entry in found[0] if name == "bind"][-2:] == ["/dev/nvidia0", "/dev/other1"]


def test_a_device_that_is_not_described_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"nvidia.com/gpu=7") as caught:
        find_devices(GpuRequest(device_ids=("7",)), described(tmp_path))
    assert "nvidia.com/gpu=0" in str(caught.value.hint)


def test_json_and_yaml_mean_the_same(tmp_path: Path) -> None:
    (tmp_path / "gpu.json").write_text(json.dumps(parse_yaml(YAML)))
    as_json = find_devices(GpuRequest(number=-1), (str(tmp_path),))
    assert as_json == find_devices(GpuRequest(number=-1), described(tmp_path / "."))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("kind: [1, 2]\n")
    with pytest.raises(EngineError, match=r"bad\.yaml.*line 1"):
        find_devices(GpuRequest(number=-1), (str(tmp_path),))


def test_without_descriptions_nothing_is_found(tmp_path: Path) -> None:
    assert find_devices(GpuRequest(number=-1), (str(tmp_path),)) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", {"a": 1}),
        ("a:\n- b\n- c: x\n  d: ''\n", {"a": ["b", {"c": "x", "d": ""}]}),
        ("a: true\nb: null\nc: '#x'\nd: x # y\n", {"a": True, "b": None, "c": "#x", "d": "x"}),
        ("- - 1\n  - 2\n- 3\n", [[1, 2], 3]),
        ("a:\n  b:\n    c: d\n", {"a": {"b": {"c": "d"}}}),
        ("url: http://x/y\n", {"url": "http://x/y"}),
        ("", None),
    ],
)
def test_plain_yaml_is_read(text: str, value: object) -> None:
    assert parse_yaml(text) == value


@pytest.mark.parametrize("text", ["a: &x 1", "a: |\n  b", "a: {b: 1}", "a: 'open", "a: 1\n   b: 2"])
def test_other_yaml_is_refused_by_line(text: str) -> None:
    with pytest.raises(ValueError, match="line"):
        parse_yaml(text)


def test_asking_for_a_gpu_without_one_says_what_was_looked_for() -> None:
    if list_gpus():
        pytest.skip("this machine has a GPU: the message about none cannot be seen")
    with pytest.raises(EngineError, match="no GPU was found on this host"):
        plan_gpus(GpuRequest(number=-1))


def test_the_cards_of_this_machine_come_with_the_drivers_library() -> None:
    if not list_gpus():
        pytest.skip("this machine has no GPU")
    operations, environment = plan_gpus(GpuRequest(number=-1))
    assert any(entry["target"].endswith("libcuda.so.1") for _, entry in operations)
    assert any(entry.startswith("LD_LIBRARY_PATH=") for entry in environment)
