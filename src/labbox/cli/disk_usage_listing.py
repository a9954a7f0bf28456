"""What `system df` can say: docker's table, its tables with -v, and JSON."""

import time
from functools import partial
from typing import Any, NamedTuple

from labbox.actions.disk_usage import CacheUsage, ContainerUsage, DiskUsage, ImageUsage, VolumeUsage
from labbox.cli.containers_listing import FIELDS as CONTAINER_FIELDS
from labbox.cli.containers_listing import ContainerRow
from labbox.cli.humanize import human_size
from labbox.cli.images_listing import FIELDS as IMAGE_FIELDS
from labbox.cli.images_listing import ImageRow
from labbox.cli.listing import Field, Listing, Row, render_listing
from labbox.engine.embedded.engine import EmbeddedEngine


class UsageRow(NamedTuple):
    """One line of `system df`; docker shows no share for the build cache."""

    kind: str
    total: int
    active: int
    size_bytes: int
    reclaimable_bytes: int
    with_share: bool = True


class _MeasuredContainer(NamedTuple):
    row: ContainerRow
    usage: ContainerUsage


def usage_rows(usage: DiskUsage) -> list[UsageRow]:
    """The four lines."""
    return [
        UsageRow(
            "Images",
            len(usage.images),
            sum(image.users > 0 for image in usage.images),
            usage.images_bytes,
            usage.images_bytes - usage.images_used_bytes,
        ),
        UsageRow(
            "Containers",
            len(usage.containers),
            sum(each.container.is_running for each in usage.containers),
            sum(each.size_bytes for each in usage.containers),
            sum(each.size_bytes for each in usage.containers if not each.container.is_running),
        ),
        UsageRow(
            "Local Volumes",
            len(usage.volumes),
            sum(bool(each.volume.users) for each in usage.volumes),
            sum(each.size_bytes for each in usage.volumes),
            sum(each.size_bytes for each in usage.volumes if not each.volume.users),
        ),
        UsageRow(
            "Build Cache",
            len(usage.cache),
            sum(each.is_in_use for each in usage.cache),
            _cache_bytes(usage),
            sum(each.size_bytes for each in usage.cache if each.is_reclaimable),
            with_share=False,
        ),
    ]


def describe_usage(usage: DiskUsage) -> dict[str, Any]:
    """Everything for `system df --json`."""
    totals = {
        row.kind.lower().replace(" ", "_"): {
            "total": row.total,
            "active": row.active,
            "size_bytes": row.size_bytes,
            "reclaimable_bytes": row.reclaimable_bytes,
        }
        for row in usage_rows(usage)
    }
    return {
        "totals": totals,
        "images": [_describe_image(each) for each in usage.images],
        "containers": [
            {"id": each.container.spec.id, "name": each.container.spec.name, "size_bytes": each.size_bytes}
            for each in usage.containers
        ],
        "volumes": [
            {"name": each.volume.name, "containers": list(each.volume.users), "size_bytes": each.size_bytes}
            for each in usage.volumes
        ],
        "build_cache": [each._asdict() for each in usage.cache],
    }


def render_details(engine: EmbeddedEngine, usage: DiskUsage) -> str:
    """The tables of `system df -v`."""
    images, containers = _rows(engine, usage, truncated=True)
    return "\n".join(
        (
            "Images space usage:\n",
            render_listing(_IMAGES, images, None),
            "Containers space usage:\n",
            render_listing(_CONTAINERS, containers, None),
            "Local Volumes space usage:\n",
            render_listing(_VOLUMES, usage.volumes, None),
            f"Build cache usage: {human_size(_cache_bytes(usage), digits=4)}\n",
            render_listing(_CACHE, usage.cache, None),
        )
    )


def describe_as_docker(engine: EmbeddedEngine, usage: DiskUsage) -> dict[str, Any]:
    """Everything under docker's names for `system df -v --format json`."""
    images, containers = _rows(engine, usage, truncated=False)
    tables = (
        ("Images", _IMAGES, [*images]),
        ("Containers", _CONTAINERS, containers),
        ("Volumes", _VOLUMES, usage.volumes),
        ("BuildCache", _CACHE, usage.cache),
    )
    return {
        name: [{key: row.read_field(key, []) for key in row.field_names()} for row in map(partial(Row, listing), items)]
        for name, listing, items in tables
    }


def _rows(
    engine: EmbeddedEngine, usage: DiskUsage, *, truncated: bool
) -> tuple[list[ImageRow], list[_MeasuredContainer]]:
    now = time.time()
    images = [ImageRow(each.image, now, truncated, each.users, each.size) for each in usage.images]
    containers = [
        _MeasuredContainer(ContainerRow(engine, each.container, now, truncated, with_size=False), each)
        for each in usage.containers
    ]
    return images, containers


def _describe_image(each: ImageUsage) -> dict[str, Any]:
    return {
        "id": str(each.image.id),
        "repository": each.image.repository or None,
        "tag": each.image.tag or None,
        "containers": each.users,
        "size_bytes": each.size.size_bytes,
        "shared_bytes": each.size.shared_bytes,
        "unique_bytes": each.size.unique_bytes,
    }


def _cache_bytes(usage: DiskUsage) -> int:
    return sum(each.size_bytes for each in usage.cache)


def _show_reclaimable(row: UsageRow) -> str:
    shown = human_size(row.reclaimable_bytes, digits=4)
    if not row.with_share or not row.size_bytes:
        return shown
    return f"{shown} ({row.reclaimable_bytes * 100 // row.size_bytes}%)"


def _of_container(name: str) -> Field:
    field = CONTAINER_FIELDS[name]
    return Field(field.header, lambda item: field.read(item.row))


def _show_volume_size(usage: VolumeUsage) -> str:
    return human_size(usage.size_bytes, digits=4)


def _show_cache_size(usage: CacheUsage) -> str:
    return human_size(usage.size_bytes, digits=4)


LISTING = Listing(
    {
        "Type": Field("TYPE", lambda row: row.kind),
        "TotalCount": Field("TOTAL", lambda row: str(row.total)),
        "Active": Field("ACTIVE", lambda row: str(row.active)),
        "Size": Field("SIZE", lambda row: human_size(row.size_bytes, digits=4)),
        "Reclaimable": Field("RECLAIMABLE", _show_reclaimable),
    },
    "Type TotalCount Active Size Reclaimable",
)
_IMAGES = Listing(IMAGE_FIELDS, "Repository Tag ID CreatedSince Size SharedSize UniqueSize Containers")
_CONTAINERS = Listing(
    {
        **{
            name: _of_container(name)
            for name in ("ID", "Image", "Command", "LocalVolumes", "RunningFor", "Status", "Names")
        },
        "Size": Field("SIZE", lambda item: human_size(item.usage.size_bytes)),
    },
    "ID Image Command LocalVolumes Size RunningFor Status Names",
)
_VOLUMES = Listing(
    {
        "Name": Field("VOLUME NAME", lambda each: each.volume.name),
        "Links": Field("LINKS", lambda each: str(len(each.volume.users))),
        "Size": Field("SIZE", _show_volume_size),
    },
    "Name Links Size",
)
_CACHE = Listing(
    {
        "ID": Field("CACHE ID", lambda each: each.name),
        "CacheType": Field("CACHE TYPE", lambda each: each.kind),
        "Size": Field("SIZE", _show_cache_size),
        "InUse": Field("IN USE", lambda each: str(each.is_in_use).lower()),
        "Reclaimable": Field("RECLAIMABLE", lambda each: str(each.is_reclaimable).lower()),
    },
    "ID CacheType Size InUse Reclaimable",
)
