"""`labbox image prune`."""

import time

from labbox.actions.prune import prune_images
from labbox.cli.clock import parse_moment, parse_rfc3339
from labbox.cli.filters import collect_filters, parse_filter
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.pruning import report_pruned, start_pruning
from labbox.cli.session import open_engine
from labbox.oci.reference import parse_reference
from labbox.store.images import Removal, StoredImage

COMMAND = Command(
    name="image prune",
    usage="",
    summary="Remove unused images",
    flags=(
        Flag("all", "", "Remove all unused images, not just dangling ones", short="a"),
        Flag("filter", "filter", 'Provide filter values (e.g. "until=<timestamp>")'),
        Flag("force", "", "Do not prompt for confirmation", short="f"),
    ),
    maximum=0,
)


def execute(arguments: Arguments) -> int:
    """Remove images that no container uses, and whatever else the store does not need."""
    filters = collect_filters(arguments.values("filter", parse_filter), {"label", "until"})
    limits = [parse_moment(text, time.time()) for text in filters.texts("until")]

    def accepts(image: StoredImage) -> bool:
        created = parse_rfc3339(image.config.created) if image.config.created else 0.0
        return filters.accepts_labels(image.config.labels) and all(created < limit for limit in limits)

    all_images = arguments.switch("all")
    what = "all images without at least one container associated to them" if all_images else "all dangling images"
    if not start_pruning(f"WARNING! This will remove {what}.", force=arguments.switch("force")):
        return 0
    removals, freed = prune_images(open_engine(), named=all_images, accepts=accepts)
    report_pruned("Deleted Images:", [line for removal in removals for line in show_removal(removal)], freed)
    return 0


def show_removal(removal: Removal) -> list[str]:
    """What was removed, in docker's lines."""
    lines = [f"untagged: {parse_reference(name).familiar}" for name in removal.untagged]
    return [*lines, f"deleted: {removal.deleted}"] if removal.deleted is not None else lines
