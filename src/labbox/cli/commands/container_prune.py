"""`labbox container prune`."""

import time

from labbox.actions.prune import prune_containers
from labbox.cli.clock import parse_moment, parse_rfc3339
from labbox.cli.filters import collect_filters, parse_filter
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.pruning import report_pruned, start_pruning
from labbox.cli.session import open_engine
from labbox.engine.embedded.records import Container

COMMAND = Command(
    name="container prune",
    usage="",
    summary="Remove all stopped containers",
    flags=(
        Flag("filter", "filter", 'Provide filter values (e.g. "until=<timestamp>")'),
        Flag("force", "", "Do not prompt for confirmation", short="f"),
    ),
    maximum=0,
)


def execute(arguments: Arguments) -> int:
    """Remove every container that does not run."""
    filters = collect_filters(arguments.values("filter", parse_filter), {"label", "until"})
    limits = [parse_moment(text, time.time()) for text in filters.texts("until")]

    def accepts(container: Container) -> bool:
        created = parse_rfc3339(container.spec.created)
        return filters.accepts_labels(dict(container.spec.labels)) and all(created < limit for limit in limits)

    if not start_pruning("WARNING! This will remove all stopped containers.", force=arguments.switch("force")):
        return 0
    ids, freed = prune_containers(open_engine(), accepts)
    report_pruned("Deleted Containers:", ids, freed)
    return 0
