"""`labbox remove`."""

from labbox.cli.flags import Arguments, Command
from labbox.cli.package_flags import PACKAGE_FLAGS

COMMAND = Command(
    name="remove",
    usage="NAME...",
    summary="Take packages out of a lab's definition, and lock it",
    flags=PACKAGE_FLAGS,
    minimum=1,
    description="The file that defines the lab is changed, and its comments stay. Packages that\n"
    "nothing needs any more go too.",
)


def execute(arguments: Arguments) -> int:
    """Take out of the definition and lock."""
    from labbox.cli.changing_packages import change_and_print

    return change_and_print(arguments, remove=True)
