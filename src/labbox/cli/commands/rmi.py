"""`labbox rmi`."""

from labbox.actions.collect_garbage import collect_unused
from labbox.actions.remove_image import remove_image
from labbox.cli.failures import for_each
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.session import open_engine
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.oci.reference import parse_reference

COMMAND = Command(
    name="rmi",
    usage="IMAGE [IMAGE...]",
    summary="Remove one or more images",
    flags=(
        Flag("force", "", "Force removal of the image", short="f"),
        Flag("no-prune", "", "Do not delete untagged parents (labbox keeps none)"),
    ),
    minimum=1,
    aliases=("image rm", "image remove"),
)


def execute(arguments: Arguments) -> int:
    """Remove images and print what was untagged and deleted."""
    engine = open_engine()
    force = arguments.switch("force")
    code = for_each(arguments.positionals, lambda name: _remove(engine, name, force=force), shown=False)
    collect_unused(engine)
    return code


def _remove(engine: EmbeddedEngine, name: str, *, force: bool) -> None:
    removal = remove_image(engine, name, force=force)
    for untagged in removal.untagged:
        print(f"Untagged: {parse_reference(untagged).familiar}")
    if removal.deleted is not None:
        print(f"Deleted: {removal.deleted}")
