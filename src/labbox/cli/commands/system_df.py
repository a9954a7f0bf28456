"""`labbox system df`."""

from labbox.actions.disk_usage import measure_disk_usage
from labbox.cli.disk_usage_listing import LISTING, describe_as_docker, describe_usage, render_details, usage_rows
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.listing import FORMAT_FLAG, JSON_FLAG, render_listing
from labbox.cli.output import print_json
from labbox.cli.session import open_engine
from labbox.errors import UsageError

COMMAND = Command(
    name="system df",
    usage="",
    summary="Show labbox's disk usage",
    flags=(
        FORMAT_FLAG,
        JSON_FLAG,
        Flag("verbose", "", "Show detailed information on space usage", short="v"),
    ),
    maximum=0,
    description="Build Cache is what labs have compiled, layers of no image, and downloads in the cache\n"
    "folder. RECLAIMABLE is what `labbox system prune` (for images: with --all) gives back.",
)


def execute(arguments: Arguments) -> int:
    """Show what takes room."""
    template, is_verbose = arguments.text("format"), arguments.switch("verbose")
    if is_verbose and template not in (None, "json", "table"):
        raise UsageError("the verbose and the format options conflict", hint="leave one of them out", exit_code=1)
    engine = open_engine()
    usage = measure_disk_usage(engine)
    if arguments.switch("json"):
        print_json(describe_usage(usage))
    elif is_verbose and template == "json":
        print_json(describe_as_docker(engine, usage), indent=None)
    elif is_verbose:
        print(render_details(engine, usage))
    else:
        print(render_listing(LISTING, usage_rows(usage), template), end="")
    return 0
