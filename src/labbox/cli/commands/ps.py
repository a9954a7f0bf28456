"""`labbox ps`."""

import time

from labbox.cli.containers_listing import LISTING, LISTING_WITH_SIZE, ContainerRow, describe_container
from labbox.cli.filters import parse_filter
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.listing import FILTER_FLAG, FORMAT_FLAG, JSON_FLAG, render_listing
from labbox.cli.output import print_json
from labbox.cli.session import open_engine
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container

COMMAND = Command(
    name="ps",
    usage="",
    summary="List containers",
    flags=(
        Flag("all", "", "Show all containers (default shows just running)", short="a"),
        FILTER_FLAG,
        FORMAT_FLAG,
        JSON_FLAG,
        Flag("last", "int", "Show n last created containers (includes all states)", short="n"),
        Flag("latest", "", "Show the latest created container (includes all states)", short="l"),
        Flag("no-trunc", "", "Don't truncate output"),
        Flag("quiet", "", "Only display container IDs", short="q"),
        Flag("size", "", "Display total file sizes", short="s"),
    ),
    maximum=0,
    aliases=("container ls", "container list", "container ps"),
)


def execute(arguments: Arguments) -> int:
    """List containers, newest first."""
    engine = open_engine()
    containers = select_containers(engine, arguments)
    truncated = not arguments.switch("no-trunc")
    if arguments.switch("quiet"):
        for container in containers:
            print(container.spec.id[:12] if truncated else container.spec.id)
        return 0
    template = arguments.text("format") or ""
    with_size = arguments.switch("size") or ".Size" in template
    now = time.time()
    rows = [ContainerRow(engine, container, now, truncated, with_size) for container in containers]
    if arguments.switch("json"):
        print_json([describe_container(row) for row in rows])
    else:
        listing = LISTING_WITH_SIZE if arguments.switch("size") else LISTING
        print(render_listing(listing, rows, template), end="")
    return 0


def select_containers(engine: EmbeddedEngine, arguments: Arguments) -> list[Container]:
    """The containers that `--all`, `--last` and the filters leave."""
    containers = list(engine.list())
    last = 1 if arguments.switch("latest") else arguments.number("last")
    filters = arguments.values("filter", parse_filter)
    if filters:
        from labbox.cli.container_filters import filter_containers

        containers, shows_all = filter_containers(engine, containers, filters)
    else:
        shows_all = False
    if last is not None and last >= 0:
        return containers[:last]
    if arguments.switch("all") or shows_all:
        return containers
    return [container for container in containers if container.is_running]
