"""`ps --filter`: docker's filters over containers."""

from collections.abc import Collection

from labbox.actions.container_images import descends_from
from labbox.cli.containers_listing import network_name
from labbox.cli.filters import Filters, check_choices, collect_filters
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.errors import LabboxError

_STATUSES = ("created", "running", "restarting", "exited", "paused", "removing", "dead")
_KNOWN = frozenset({
    "ancestor", "before", "exited", "expose", "health", "id", "is-task", "label", "name", "network", "publish", "since",
    "status", "volume",
})  # fmt: skip


def filter_containers(
    engine: EmbeddedEngine, containers: list[Container], pairs: Collection[tuple[str, str]]
) -> tuple[list[Container], bool]:
    """The containers that all filters accept, and whether they ask for stopped ones too; order is kept."""
    filters = collect_filters(pairs, _KNOWN)
    check_choices(filters, "status", _STATUSES)
    check_choices(filters, "health", ("none", "starting", "healthy", "unhealthy"))
    containers = _between(engine, containers, filters)
    shows_all = bool(filters.texts("status") or filters.texts("exited"))
    return [container for container in containers if _accepts(engine, container, filters)], shows_all


def _between(engine: EmbeddedEngine, containers: list[Container], filters: Filters) -> list[Container]:
    for text in filters.texts("since"):
        limit = engine.find(text).spec.created
        containers = [container for container in containers if container.spec.created > limit]
    for text in filters.texts("before"):
        limit = engine.find(text).spec.created
        containers = [container for container in containers if container.spec.created < limit]
    return containers


def _accepts(engine: EmbeddedEngine, container: Container, filters: Filters) -> bool:
    spec, state = container.spec, container.state
    exit_codes = filters.numbers("exited")
    places = {place for mount in spec.mounts for place in (mount.source, mount.target)}
    return (
        filters.accepts_part_of("name", [spec.name, f"/{spec.name}"])
        and _starts(filters.texts("id"), spec.id)
        and filters.accepts("status", [state.status])
        and (not exit_codes or (state.status == "exited" and state.exit_code in exit_codes))
        and filters.accepts_labels(dict(spec.labels))
        and filters.accepts("network", [network_name(spec.network)])
        and filters.accepts("volume", places)
        and filters.accepts("health", ["none"])
        and filters.switch("is-task") is not True
        and _accepts_ports(filters.texts("publish"), {(p.container_port, p.protocol) for p in state.ports})
        and _accepts_ports(filters.texts("expose"), {_split(port) for port in spec.exposed_ports})
        and _accepts_ancestor(engine, container, filters.texts("ancestor"))
    )


def _starts(wanted: tuple[str, ...], container_id: str) -> bool:
    return not wanted or any(container_id.startswith(text) for text in wanted)


def _accepts_ports(wanted: tuple[str, ...], actual: set[tuple[int, str]]) -> bool:
    return not wanted or any(port in actual for text in wanted for port in _parse_ports(text))


def _parse_ports(text: str) -> list[tuple[int, str]]:
    numbers, _, protocol = text.partition("/")
    first, _, last = numbers.partition("-")
    if not first.isdigit() or not (last or first).isdigit():
        raise LabboxError(f"Invalid filter: `{text}` is no port", hint="write it as 80, 80/udp or 8000-8010/tcp")
    return [(port, protocol or "tcp") for port in range(int(first), int(last or first) + 1)]


def _split(port: str) -> tuple[int, str]:
    number, _, protocol = port.partition("/")
    return int(number), protocol


def _accepts_ancestor(engine: EmbeddedEngine, container: Container, wanted: tuple[str, ...]) -> bool:
    return not wanted or any(descends_from(engine.settings, container, name) for name in wanted)
