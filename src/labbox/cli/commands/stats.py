"""`labbox stats`."""

import sys
import time
from typing import Any, NamedTuple

from labbox.actions.measure_usage import Usage, measure_usage
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.humanize import human_binary_size, human_size
from labbox.cli.listing import FORMAT_FLAG, JSON_FLAG, Field, Listing, render_listing
from labbox.cli.output import print_json
from labbox.cli.session import open_engine
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.errors import NotFoundError

COMMAND = Command(
    name="stats",
    usage="[CONTAINER...]",
    summary="Display a live stream of container(s) resource usage statistics",
    flags=(
        Flag("all", "", "Show all containers (default shows just running)", short="a"),
        FORMAT_FLAG,
        JSON_FLAG,
        Flag("no-stream", "", "Disable streaming stats and only pull the first result"),
        Flag("no-trunc", "", "Do not truncate output"),
    ),
    aliases=("container stats",),
)
_FIRST_INTERVAL_SECONDS = 0.2
_INTERVAL_SECONDS = 1.0
_CLEAR = "\x1b[H\x1b[J"  # ECMA-48: cursor home, erase to the end of the screen


class StatsRow(NamedTuple):
    """A container's usage between two moments, as asked for by `asked`."""

    asked: str
    container: Container
    usage: Usage
    cpu_percent: float
    truncated: bool


FIELDS: dict[str, Field] = {
    "Container": Field("CONTAINER", lambda row: row.asked),
    "Name": Field("NAME", lambda row: row.container.spec.name),
    "ID": Field("CONTAINER ID", lambda row: row.container.spec.id[:12] if row.truncated else row.container.spec.id),
    "CPUPerc": Field("CPU %", lambda row: f"{row.cpu_percent:.2f}%"),
    "MemUsage": Field(
        "MEM USAGE / LIMIT",
        lambda row: f"{human_binary_size(row.usage.memory_bytes)} / {human_binary_size(row.usage.memory_limit_bytes)}",
    ),
    "MemPerc": Field("MEM %", lambda row: f"{row.usage.memory_percent:.2f}%"),
    "NetIO": Field(
        "NET I/O", lambda row: f"{human_size(row.usage.received_bytes)} / {human_size(row.usage.sent_bytes)}"
    ),
    "BlockIO": Field(
        "BLOCK I/O", lambda row: f"{human_size(row.usage.read_bytes)} / {human_size(row.usage.written_bytes)}"
    ),
    "PIDs": Field("PIDS", lambda row: str(row.usage.processes)),
}
LISTING = Listing(FIELDS, "ID Name CPUPerc MemUsage MemPerc NetIO BlockIO PIDs")


def execute(arguments: Arguments) -> int:
    """Print what containers use, once or again every second."""
    engine = open_engine()
    streams = not arguments.switch("no-stream") and not arguments.switch("json")
    before = {container.spec.id: measure_usage(container) for _, container in _select(engine, arguments)}
    interval = _FIRST_INTERVAL_SECONDS
    while True:
        time.sleep(interval if before else 0)
        rows = _measure(_select(engine, arguments), before, truncated=not arguments.switch("no-trunc"))
        before = {row.container.spec.id: row.usage for row in rows}
        if arguments.switch("json"):
            print_json([_describe(row) for row in rows])
        else:
            _show(rows, arguments.text("format"), clear=streams)
        if not streams:
            return 0
        interval = _INTERVAL_SECONDS


def _select(engine: EmbeddedEngine, arguments: Arguments) -> list[tuple[str, Container]]:
    if arguments.positionals:
        return [(name, engine.find(name)) for name in arguments.positionals]
    everything = arguments.switch("all")
    return [(one.spec.id[:12], one) for one in engine.list() if everything or one.is_running]


def _measure(selected: list[tuple[str, Container]], before: dict[str, Usage], *, truncated: bool) -> list[StatsRow]:
    rows = []
    for asked, container in selected:
        try:
            usage = measure_usage(container)
        except NotFoundError:
            continue
        earlier = before.get(container.spec.id, usage)
        rows.append(StatsRow(asked, container, usage, usage.cpu_percent_since(earlier), truncated))
    return rows


def _show(rows: list[StatsRow], template: str | None, *, clear: bool) -> None:
    if clear and sys.stdout.isatty():
        sys.stdout.write(_CLEAR)
    print(render_listing(LISTING, rows, template), end="", flush=True)


def _describe(row: StatsRow) -> dict[str, Any]:
    usage = {name: value for name, value in row.usage._asdict().items() if name not in {"moment", "cpu_seconds"}}
    return {
        "id": row.container.spec.id,
        "name": row.container.spec.name,
        "cpu_percent": round(row.cpu_percent, 2),
        "memory_percent": round(row.usage.memory_percent, 2),
        **usage,
    }
