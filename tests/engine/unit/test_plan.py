"""What a specification becomes before any privilege is needed."""

import marshal
import os
from typing import Any

import pytest

from labbox.engine.embedded.folders import ContainerFolder
from labbox.engine.embedded.operation import Operation
from labbox.engine.embedded.plan import HostFacts, capability_mask, make_plan
from labbox.engine.specification import ContainerSpec, Mount, Security, Ulimit
from labbox.errors import EngineError
from labbox.linux import capabilities
from labbox.linux.idmap import Identity, root_identity

FOLDER = ContainerFolder("/containers/c")


def a_spec(**changes: Any) -> ContainerSpec:
    spec = ContainerSpec(
        id="c" * 64, name="box", image="i", image_id="", diff_ids=(), created="", command=("true",)
    )  # fmt: skip
    return spec._replace(**changes)


def facts(mode: Any = "root", **changes: Any) -> HostFacts:
    identity = root_identity() if mode == "root" else Identity(mode=mode)
    return HostFacts(identity=identity, layers=("/l/1", "/l/2"), volumes_dir="/volumes")._replace(**changes)


def operations(spec: ContainerSpec, host: HostFacts) -> list[Operation]:
    found: list[Operation] = make_plan(spec, FOLDER, host)["operations"]
    return found


def mounted(spec: ContainerSpec, host: HostFacts) -> dict[str, Operation]:
    return {operation[1]["target"]: operation for operation in operations(spec, host) if "target" in operation[1]}


def test_layers_are_given_topmost_first() -> None:
    assert make_plan(a_spec(), FOLDER, facts())["root"]["lower"] == ["/l/2", "/l/1"]


def test_device_nodes_can_be_used_only_in_privileged_containers() -> None:
    assert make_plan(a_spec(), FOLDER, facts())["root"]["devices"] is False
    assert make_plan(a_spec(security=Security(privileged=True)), FOLDER, facts())["root"]["devices"] is True


def test_user_mounts_come_parents_before_children() -> None:
    mounts = (Mount("bind", "/data/deep/er", "/b"), Mount("bind", "/data", "/a"))
    targets = [entry[1].get("target") for entry in operations(a_spec(mounts=mounts), facts())]
    assert targets.index("/data") < targets.index("/data/deep/er")


def test_a_mount_of_the_user_replaces_the_default_one() -> None:
    spec = a_spec(mounts=(Mount("tmpfs", "/dev/shm", options=("size=1m",)), Mount("bind", "/etc/hosts", "/own")))
    found = [entry for _, entry in operations(spec, facts()) if entry.get("target") in {"/dev/shm", "/etc/hosts"}]
    assert [(entry["target"], entry.get("source", entry.get("options"))) for entry in found] == [
        ("/dev/shm", "size=1m,mode=1777"),
        ("/etc/hosts", "/own"),
    ]


def test_masks_come_last_and_not_for_privileged_containers() -> None:
    plain = [name for name, _ in operations(a_spec(), facts())]
    assert plain[-1] == "read_only"
    assert "mask" in plain
    privileged = [name for name, _ in operations(a_spec(security=Security(privileged=True)), facts())]
    assert "mask" not in privileged


def test_terminals_have_no_group_where_only_one_id_exists() -> None:
    assert "gid=5" in mounted(a_spec(), facts())["/dev/pts"][1]["options"]
    assert "gid=5" not in mounted(a_spec(), facts("single"))["/dev/pts"][1]["options"]


def test_without_root_the_hosts_network_comes_with_the_hosts_sys() -> None:
    assert mounted(a_spec(network="host"), facts("subuid"))["/sys"][0] == "bind"
    assert mounted(a_spec(network="host"), facts())["/sys"][0] == "filesystem"


@pytest.mark.parametrize("owner", [0, 5, 1000, 1001, 12345, 65535, 70000])
def test_an_idmapped_mount_shows_its_owner_as_developer(owner: int) -> None:
    spec = a_spec(mounts=(Mount("bind", "/w", "/w", idmapped=True),))
    users, groups = mounted(spec, facts(owners=(("/w", owner, 7),)))["/w"][1]["idmap"]

    shown = {disk + number: to + number for disk, to, size in users for number in range(size)}

    assert shown[owner] == 1000
    assert shown[1000] == owner
    assert all(disk == to for disk, to in shown.items() if disk not in (owner, 1000))
    assert len(set(shown.values())) == len(shown) >= 65536
    assert (7, 1000, 1) in groups


def test_an_idmapped_mount_swaps_root_and_developer_as_root_only() -> None:
    spec = a_spec(mounts=(Mount("bind", "/w", "/w", idmapped=True),))
    assert mounted(spec, facts())["/w"][1]["idmap"][0][0] == (0, 1000, 1)
    assert mounted(spec, facts("subuid"))["/w"][1]["idmap"] is None


def test_the_environment_says_later_what_the_user_says() -> None:
    environment = make_plan(a_spec(environment=("PATH=/mine",)), FOLDER, facts())["payload"]["environment"]
    assert environment[0].startswith("PATH=/usr/local/sbin")
    assert environment[-1] == "PATH=/mine"


def test_a_plan_survives_marshalling() -> None:
    plan = make_plan(a_spec(ulimits=(Ulimit("nofile", 10, 20),)), FOLDER, facts())
    assert marshal.loads(marshal.dumps(plan)) == plan


@pytest.mark.parametrize(
    ("security", "added", "dropped"),
    [
        (Security(cap_add=("SYS_PTRACE",)), {"SYS_PTRACE"}, set()),
        (Security(cap_add=("cap_net_admin",)), {"NET_ADMIN"}, set()),
        (Security(cap_drop=("CHOWN",)), set(), {"CHOWN"}),
        (Security(cap_drop=("ALL",), cap_add=("CHOWN",)), set(), set(capabilities.DOCKER_DEFAULT) - {"CHOWN"}),
    ],
)
def test_capabilities_are_the_default_with_changes(security: Security, added: set[str], dropped: set[str]) -> None:
    expected = (set(capabilities.DOCKER_DEFAULT) | added) - dropped
    assert capability_mask(a_spec(security=security)) == capabilities.mask_of(expected)


def test_an_unknown_capability_or_limit_is_named() -> None:
    with pytest.raises(EngineError, match='unknown capability "FLY"'):
        capability_mask(a_spec(security=Security(cap_add=("FLY",))))
    with pytest.raises(EngineError, match="invalid ulimit type: wings"):
        make_plan(a_spec(ulimits=(Ulimit("wings", 1, 1),)), FOLDER, facts())


def test_files_of_etc_are_ours_not_the_hosts() -> None:
    found = mounted(a_spec(), facts())
    assert found["/etc/resolv.conf"][1]["source"] == os.path.join(FOLDER.path, "etc", "resolv.conf")
