"""`labbox remove`."""

from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.listing import JSON_FLAG

COMMAND = Command(
    name="remove",
    usage="NAME...",
    summary="Take packages out of a lab's definition, and lock it",
    flags=(
        Flag("directory", "string", "The project folder, instead of the current one", short="C"),
        JSON_FLAG,
        Flag("quiet", "", "Print nothing but failures", short="q"),
        Flag("system", "", "The packages are Debian's, not Python's"),
    ),
    minimum=1,
    description="The file that defines the lab is changed, and its comments stay. Packages that\n"
    "nothing needs any more go too.",
)


def execute(arguments: Arguments) -> int:
    """Take out of the definition and lock."""
    from labbox.cli.changing_packages import change_and_print

    return change_and_print(arguments, remove=True)
