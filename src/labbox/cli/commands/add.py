"""`labbox add`."""

from labbox.cli.flags import Arguments, Command
from labbox.cli.package_flags import PACKAGE_FLAGS

COMMAND = Command(
    name="add",
    usage="NAME...",
    summary="Add packages to a lab's definition, and lock it",
    flags=PACKAGE_FLAGS,
    minimum=1,
    description="NAME is a requirement such as `numpy` or `numpy>=2,<3`; with --system a Debian\n"
    "package, NAME or NAME=VERSION. The file that defines the lab is changed, and its\n"
    "comments stay; a folder without one gets a labbox.toml.",
)


def execute(arguments: Arguments) -> int:
    """Add to the definition and lock."""
    from labbox.cli.changing_packages import change_and_print

    return change_and_print(arguments, remove=False)
