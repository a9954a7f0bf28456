"""`labbox volume ls`."""

from typing import Any

from labbox.actions.volumes import StoredVolume, list_volumes
from labbox.cli.filters import Filters, collect_filters, parse_filter
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.listing import FILTER_FLAG, FORMAT_FLAG, JSON_FLAG, Field, Listing, render_listing
from labbox.cli.output import print_json
from labbox.cli.session import open_engine

COMMAND = Command(
    name="volume ls",
    usage="",
    summary="List volumes",
    flags=(
        FILTER_FLAG,
        FORMAT_FLAG,
        JSON_FLAG,
        Flag("quiet", "", "Only display volume names", short="q"),
    ),
    maximum=0,
    aliases=("volume list",),
)
LISTING = Listing(
    {
        "Driver": Field("DRIVER", lambda _: "local"),
        "Name": Field("VOLUME NAME", lambda volume: volume.name),
        "Scope": Field("SCOPE", lambda _: "local"),
        "Mountpoint": Field("MOUNTPOINT", lambda volume: volume.data),
        "Labels": Field("LABELS", lambda volume: ",".join(f"{key}={value}" for key, value in volume.labels.items())),
        "Label": Field("", lambda volume, name: volume.labels.get(name, ""), takes_arguments=True),
        "Links": Field("LINKS", lambda volume: str(len(volume.users))),
        "Size": Field("SIZE", lambda _: "N/A"),
    },
    "Driver Name",
)


def execute(arguments: Arguments) -> int:
    """List volumes by name."""
    filters = collect_filters(arguments.values("filter", parse_filter), {"dangling", "driver", "label", "name"})
    volumes = [volume for volume in list_volumes(open_engine()) if _accepts(volume, filters)]
    if arguments.switch("quiet"):
        for volume in volumes:
            print(volume.name)
    elif arguments.switch("json"):
        print_json([_describe(volume) for volume in volumes])
    else:
        print(render_listing(LISTING, volumes, arguments.text("format")), end="")
    return 0


def _accepts(volume: StoredVolume, filters: Filters) -> bool:
    dangling = filters.switch("dangling")
    return (
        (dangling is None or dangling == (not volume.users))
        and filters.accepts_part_of("name", [volume.name])
        and filters.accepts("driver", ["local"])
        and filters.accepts_labels(volume.labels)
    )


def _describe(volume: StoredVolume) -> dict[str, Any]:
    return {
        "name": volume.name,
        "path": volume.data,
        "created": volume.created or None,
        "labels": volume.labels,
        "containers": list(volume.users),
    }
