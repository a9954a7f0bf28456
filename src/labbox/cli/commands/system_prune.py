"""`labbox system prune`."""

from labbox.actions.prune import prune_containers, prune_images, prune_volumes
from labbox.cli.commands.image_prune import show_removal
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.pruning import report_pruned, report_removed, start_pruning
from labbox.cli.session import open_engine

COMMAND = Command(
    name="system prune",
    usage="",
    summary="Remove unused data",
    flags=(
        Flag("all", "", "Remove all unused images not just dangling ones", short="a"),
        Flag("force", "", "Do not prompt for confirmation", short="f"),
        Flag("volumes", "", "Prune anonymous volumes"),
    ),
    maximum=0,
)


def execute(arguments: Arguments) -> int:
    """Remove stopped containers, then images without containers, and volumes where asked."""
    all_images, volumes = arguments.switch("all"), arguments.switch("volumes")
    lines = [
        "WARNING! This will remove:",
        "  - all stopped containers",
        *(["  - all anonymous volumes not used by at least one container"] if volumes else []),
        f"  - all {'images without at least one container' if all_images else 'dangling images'}",
        "",
    ]
    if not start_pruning("\n".join(lines), force=arguments.switch("force")):
        return 0
    engine = open_engine()
    containers, freed = prune_containers(engine, lambda _: True)
    report_removed("Deleted Containers:", containers)
    if volumes:
        names, bytes_freed = prune_volumes(engine, named=False, accepts=lambda _: True)
        report_removed("Deleted Volumes:", names)
        freed += bytes_freed
    removals, bytes_freed = prune_images(engine, named=all_images, accepts=lambda _: True)
    report_pruned("Deleted Images:", [line for each in removals for line in show_removal(each)], freed + bytes_freed)
    return 0
