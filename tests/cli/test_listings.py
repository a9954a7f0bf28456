import time

from labbox.cli.containers_listing import ContainerRow, join_ports, show_command, show_names_of_mounts, show_ports
from labbox.cli.output import draw_bar
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.folders import ContainerFolder
from labbox.engine.embedded.records import Container
from labbox.engine.specification import ContainerSpec, ContainerState, Mount, PortBinding
from labbox.settings import load_settings

SPEC = ContainerSpec(
    id="f" * 64, name="web", image="x", image_id="", diff_ids=(), created="2026-01-01T00:00:00Z", command=("a",)
)


def row(spec: ContainerSpec = SPEC, state: ContainerState | None = None, *, truncated: bool = True) -> ContainerRow:
    container = Container(spec, state or ContainerState(), ContainerFolder("/nowhere"))
    engine = EmbeddedEngine(load_settings({"LABBOX_HOME": "/nowhere"}), {})
    return ContainerRow(engine, container, time.time(), truncated, with_size=False)


def test_ports_are_joined_to_ranges_as_docker_joins_them() -> None:
    published = [PortBinding(port, "tcp", "0.0.0.0", port) for port in (80, 90, 91, 92)]
    published.append(PortBinding(8080, "udp", "127.0.0.1", 8081))
    published.append(PortBinding(53, "udp", "::1", 53))
    assert join_ports(published, [(77, "tcp"), (78, "tcp")]) == (
        "0.0.0.0:80->80/tcp, 0.0.0.0:90-92->90-92/tcp, [::1]:53->53/udp, 77-78/tcp, 127.0.0.1:8081->8080/udp"
    )
    assert join_ports([], []) == ""


def test_only_a_running_container_has_ports() -> None:
    spec = SPEC._replace(exposed_ports=("77/tcp",))
    assert show_ports(row(spec)) == ""
    assert show_ports(row(spec, ContainerState(status="running"))) == "77/tcp"


def test_the_command_is_quoted_and_cut_as_docker_does() -> None:
    spec = SPEC._replace(command=("echo", "a b", "it's", 'q"q', "longlonglonglong"))
    assert show_command(row(spec)) == "\"echo 'a b' it's q\\\"q…\""
    assert show_command(row(spec, truncated=False)) == "\"echo 'a b' it's q\\\"q longlonglonglong\""


def test_mounts_are_named_by_their_sources() -> None:
    mounts = (Mount("volume", "/d", "data"), Mount("bind", "/t", "/a/long/folder/name"), Mount("tmpfs", "/s"))
    assert show_names_of_mounts(row(SPEC._replace(mounts=mounts))) == "data,/a/long/folder…"
    assert show_names_of_mounts(row(SPEC._replace(mounts=mounts), truncated=False)) == "data,/a/long/folder/name"


def test_a_bar_fits_its_line() -> None:
    assert draw_bar("get", 0.5, "5/10", 80) == "get [============>           ] 5/10"
    assert draw_bar("get", 1.0, "10/10", 80) == "get [========================] 10/10"
    assert len(draw_bar("get", 0.5, "5/10", 20)) == 19
