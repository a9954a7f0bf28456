"""`labbox volume prune`."""

from labbox.actions.prune import prune_volumes
from labbox.cli.filters import collect_filters, parse_filter
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.pruning import report_pruned, start_pruning
from labbox.cli.session import open_engine

COMMAND = Command(
    name="volume prune",
    usage="",
    summary="Remove unused local volumes",
    flags=(
        Flag("all", "", "Remove all unused volumes, not just anonymous ones", short="a"),
        Flag("filter", "filter", 'Provide filter values (e.g. "label=<label>")'),
        Flag("force", "", "Do not prompt for confirmation", short="f"),
    ),
    maximum=0,
)


def execute(arguments: Arguments) -> int:
    """Remove volumes that no container has."""
    filters = collect_filters(arguments.values("filter", parse_filter), {"label", "all"})
    all_volumes = arguments.switch("all") or filters.switch("all") is True
    what = "all" if all_volumes else "anonymous"
    question = f"WARNING! This will remove {what} local volumes not used by at least one container."
    if not start_pruning(question, force=arguments.switch("force")):
        return 0
    names, freed = prune_volumes(open_engine(), named=all_volumes, accepts=lambda v: filters.accepts_labels(v.labels))
    report_pruned("Deleted Volumes:", names, freed)
    return 0
