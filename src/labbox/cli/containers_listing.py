"""What `ps` can say about a container: docker's fields, columns and JSON."""

from labbox.cli.clock import seconds_since, show_local
from labbox.cli.humanize import human_duration, human_size, human_status
from labbox.cli.listing import Field, Listing
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.engine.specification import PortBinding
from labbox.lightweight_typing import Any, NamedTuple

_COMMAND_WIDTH = 20
_MOUNT_WIDTH = 15
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


class ContainerRow(NamedTuple):
    """A container in a listing: shortened or in full, with the size of what it wrote or without."""

    engine: EmbeddedEngine
    container: Container
    now: float
    truncated: bool
    with_size: bool


def show_id(row: ContainerRow) -> str:
    """The id, by default its first twelve digits."""
    return row.container.spec.id[:12] if row.truncated else row.container.spec.id


def show_command(row: ContainerRow) -> str:
    """The command in quotes, words with spaces in quotes of their own, by default cut at 20 characters."""
    words = (f"'{word}'" if " " in word else word for word in row.container.spec.command)
    text = " ".join(words)
    if row.truncated and len(text) > _COMMAND_WIDTH:
        text = text[: _COMMAND_WIDTH - 1] + "…"
    return '"' + "".join(_ESCAPES.get(letter, letter) for letter in text) + '"'


def show_created(row: ContainerRow) -> str:
    """How long ago the container was created."""
    return f"{human_duration(seconds_since(row.container.spec.created, row.now) or 0.0)} ago"


def show_status(row: ContainerRow) -> str:
    """`Up 3 hours`, `Exited (0) 2 weeks ago`."""
    state = row.container.state
    started, finished = (seconds_since(text, row.now) for text in (state.started_at, state.finished_at))
    return human_status(state.status, state.exit_code, started, finished)


def show_ports(row: ContainerRow) -> str:
    """Where the ports answer; neighbouring ports that keep their number as one range (docker/cli, formatter)."""
    state = row.container.state
    published = sorted(state.ports, key=lambda port: (port.container_port, port.host_address, port.host_port))
    return join_ports(published, _only_exposed(row.container) if row.container.is_running else [])


def join_ports(published: list[PortBinding], exposed: list[tuple[int, str]]) -> str:
    """The PORTS column from bindings and exposed ports, both sorted."""
    groups: dict[str, list[list[int]]] = {}
    single = []
    for port in published:
        host = f"[{port.host_address}]" if ":" in port.host_address else port.host_address
        if port.host_port != port.container_port:
            single.append(f"{host}:{port.host_port}->{port.container_port}/{port.protocol}")
        else:
            _extend(groups.setdefault(f"{host}/{port.protocol}", []), port.container_port)
    for number, protocol in exposed:
        _extend(groups.setdefault(protocol, []), number)
    return ", ".join([_show_group(key, *pair) for key, pairs in groups.items() for pair in pairs] + single)


def show_names_of_mounts(row: ContainerRow) -> str:
    """Names of volumes and sources of folders, by default cut at 15 characters each."""
    mounts = sorted(row.container.spec.mounts, key=lambda mount: mount.target)
    names = [mount.source for mount in mounts if mount.kind != "tmpfs"]
    if row.truncated:
        names = [name if len(name) <= _MOUNT_WIDTH else name[: _MOUNT_WIDTH - 1] + "…" for name in names]
    return ",".join(names)


def show_size(row: ContainerRow) -> str:
    """The size of what the container wrote and of all it sees; nothing is measured unless it was asked for."""
    if not row.with_size:
        return "0B"
    from labbox.actions.sizes import container_sizes

    written, image = container_sizes(row.engine, row.container)
    return f"{human_size(written)} (virtual {human_size(written + image)})"


def describe_container(row: ContainerRow) -> dict[str, Any]:
    """The container for `ps --json`."""
    spec, state = row.container.spec, row.container.state
    document: dict[str, Any] = {
        "id": spec.id,
        "name": spec.name,
        "image": spec.image,
        "image_id": spec.image_id,
        "command": list(spec.command),
        "created": spec.created,
        "status": state.status,
        "exit_code": None if row.container.is_running or state.status == "created" else state.exit_code,
        "started_at": state.started_at or None,
        "finished_at": state.finished_at or None,
        "ports": [port._asdict() for port in state.ports],
        "labels": dict(spec.labels),
        "mounts": [{"kind": mount.kind, "source": mount.source, "target": mount.target} for mount in spec.mounts],
        "network": spec.network,
    }
    if row.with_size:
        from labbox.actions.sizes import container_sizes

        document["size_bytes"], document["image_size_bytes"] = container_sizes(row.engine, row.container)
    return document


def network_name(network: str) -> str:
    """Docker's name of a network: a container's own is `bridge`."""
    return "bridge" if network == "auto" else network


def _labels(row: ContainerRow) -> str:
    return ",".join(f"{key}={value}" for key, value in row.container.spec.labels)


def _label(row: ContainerRow, name: str) -> str:
    return dict(row.container.spec.labels).get(name, "")


def _only_exposed(container: Container) -> list[tuple[int, str]]:
    published = {(port.container_port, port.protocol) for port in container.state.ports}
    ports = (
        (int(number), protocol) for number, _, protocol in (p.partition("/") for p in container.spec.exposed_ports)
    )
    return sorted(port for port in ports if port not in published)


def _extend(pairs: list[list[int]], number: int) -> None:
    if pairs and number == pairs[-1][1] + 1:
        pairs[-1][1] = number
    else:
        pairs.append([number, number])


def _show_group(key: str, first: int, last: int) -> str:
    host, slash, protocol = key.rpartition("/")
    numbers = str(first) if first == last else f"{first}-{last}"
    return f"{host}:{numbers}->{numbers}/{protocol}" if slash else f"{numbers}/{protocol}"


FIELDS: dict[str, Field] = {
    "ID": Field("CONTAINER ID", show_id),
    "Image": Field("IMAGE", lambda row: row.container.spec.image),
    "Command": Field("COMMAND", show_command),
    "RunningFor": Field("CREATED", show_created),
    "Status": Field("STATUS", show_status),
    "Ports": Field("PORTS", show_ports),
    "Names": Field("NAMES", lambda row: row.container.spec.name),
    "CreatedAt": Field("CREATED AT", lambda row: show_local(row.container.spec.created)),
    "Labels": Field("LABELS", _labels),
    "Label": Field("", _label, takes_arguments=True),
    "LocalVolumes": Field(
        "LOCAL VOLUMES", lambda row: str(sum(mount.kind == "volume" for mount in row.container.spec.mounts))
    ),
    "Mounts": Field("MOUNTS", show_names_of_mounts),
    "Networks": Field("NETWORKS", lambda row: network_name(row.container.spec.network)),
    "Size": Field("SIZE", show_size),
    "State": Field("STATE", lambda row: row.container.state.status),
}
LISTING = Listing(FIELDS, "ID Image Command RunningFor Status Ports Names")
LISTING_WITH_SIZE = Listing(FIELDS, "ID Image Command RunningFor Status Ports Names Size")
