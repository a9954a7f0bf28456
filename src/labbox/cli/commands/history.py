"""`labbox history`."""

import time
from typing import Any, NamedTuple

from labbox.actions.history import Step, read_history
from labbox.cli.clock import parse_rfc3339, seconds_since
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.humanize import human_duration, human_size
from labbox.cli.listing import FORMAT_FLAG, JSON_FLAG, Field, Listing, render_listing
from labbox.cli.output import print_json
from labbox.cli.session import open_engine
from labbox.store.images import ImageStore

COMMAND = Command(
    name="history",
    usage="IMAGE",
    summary="Show the history of an image",
    flags=(
        FORMAT_FLAG,
        Flag("human", "", "Print sizes and dates in human readable format", short="H", default="true"),
        JSON_FLAG,
        Flag("no-trunc", "", "Don't truncate output"),
        Flag("quiet", "", "Only show image IDs", short="q"),
    ),
    minimum=1,
    maximum=1,
    aliases=("image history",),
)
_MISSING = "<missing>"  # docker's id of a step that is no image of its own
_COMMAND_WIDTH = 45


class StepRow(NamedTuple):
    """A step in a listing."""

    step: Step
    now: float
    truncated: bool
    is_human: bool


def execute(arguments: Arguments) -> int:
    """Show the steps of an image, newest first."""
    engine = open_engine()
    steps = read_history(engine, ImageStore(engine.settings.store_dir).resolve(arguments.positionals[0]))
    now, is_human = time.time(), arguments.switch("human")
    rows = [StepRow(step, now, not arguments.switch("no-trunc"), is_human) for step in steps]
    if arguments.switch("quiet"):
        for row in rows:
            print(_show_id(row))
    elif arguments.switch("json"):
        print_json([_describe(step) for step in steps])
    else:
        listing = LISTING if is_human else LISTING_FOR_MACHINES
        print(render_listing(listing, rows, arguments.text("format")), end="")
    return 0


def _show_id(row: StepRow) -> str:
    image_id = row.step.image_id
    if image_id is None:
        return _MISSING
    return image_id.short if row.truncated else str(image_id)


def _show_created_since(row: StepRow) -> str:
    if not row.is_human:
        return _show_created_at(row)
    seconds = seconds_since(row.step.said.created, row.now)
    return "N/A" if seconds is None else f"{human_duration(seconds)} ago"


def _show_created_at(row: StepRow) -> str:
    created = row.step.said.created
    if not created:
        return "N/A"
    moment = time.localtime(parse_rfc3339(created))
    zone = "Z" if not moment.tm_gmtoff else time.strftime("%z", moment)
    return time.strftime("%Y-%m-%dT%H:%M:%S", moment) + (zone if zone == "Z" else f"{zone[:3]}:{zone[3:]}")


def _show_created_by(row: StepRow) -> str:
    text = row.step.said.created_by.replace("\t", " ")
    return text[: _COMMAND_WIDTH - 1] + "…" if row.truncated and len(text) > _COMMAND_WIDTH else text


def _show_size(row: StepRow) -> str:
    size_bytes = row.step.layer.size_bytes if row.step.layer is not None else 0
    return human_size(size_bytes) if row.is_human else str(size_bytes)


def _describe(step: Step) -> dict[str, Any]:
    return {
        "id": str(step.image_id) if step.image_id is not None else None,
        "created": step.said.created or None,
        "created_by": step.said.created_by,
        "author": step.said.author or None,
        "comment": step.said.comment,
        "diff_id": str(step.layer.diff_id) if step.layer is not None else None,
        "size_bytes": step.layer.size_bytes if step.layer is not None else 0,
    }


FIELDS: dict[str, Field] = {
    "ID": Field("IMAGE", _show_id),
    "CreatedSince": Field("CREATED", _show_created_since),
    "CreatedAt": Field("CREATED AT", _show_created_at),
    "CreatedBy": Field("CREATED BY", _show_created_by),
    "Size": Field("SIZE", _show_size),
    "Comment": Field("COMMENT", lambda row: row.step.said.comment),
}
LISTING = Listing(FIELDS, "ID CreatedSince CreatedBy Size Comment")
LISTING_FOR_MACHINES = Listing(FIELDS, "ID CreatedAt CreatedBy Size Comment")
