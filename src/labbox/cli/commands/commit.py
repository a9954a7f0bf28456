"""`labbox commit`."""

from labbox.actions.commit import CommitRequest, commit_container
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.session import open_engine
from labbox.errors import UsageError
from labbox.oci.reference import Reference, parse_reference

COMMAND = Command(
    name="commit",
    usage="CONTAINER [REPOSITORY[:TAG]]",
    summary="Create a new image from a container's changes",
    flags=(
        Flag("author", "string", 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")', short="a"),
        Flag("change", "list", "Apply Dockerfile instruction to the created image", short="c"),
        Flag("message", "string", "Commit message", short="m"),
        Flag(
            "pause",
            "",
            "Accepted for docker's sake: files are read while the container runs",
            short="p",
            default="true",
        ),
    ),
    minimum=1,
    maximum=2,
    aliases=("container commit",),
)


def execute(arguments: Arguments) -> int:
    """Make an image and print its id."""
    container_name, *names = arguments.positionals
    engine = open_engine()
    container = engine.find(container_name)
    request = CommitRequest(
        name=read_new_name(names[0]) if names else None,
        author=arguments.text("author") or "",
        message=arguments.text("message") or "",
        changes=tuple(arguments.texts("change")),
    )
    print(commit_container(engine, container, request).id)
    return 0


def read_new_name(text: str) -> Reference:
    """A name that an image can be given: with its tag, without a digest."""
    try:
        reference = parse_reference(text)
    except UsageError as error:
        error.exit_code = 1
        raise
    if reference.digest is not None:
        raise UsageError("cannot give an image a name with a digest", exit_code=1)
    return reference.with_default_tag()
