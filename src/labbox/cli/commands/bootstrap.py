"""`labbox bootstrap`."""

from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.humanize import human_size
from labbox.cli.listing import JSON_FLAG
from labbox.cli.output import note, print_json
from labbox.cli.session import open_settings

COMMAND = Command(
    name="bootstrap",
    usage="[RELEASE]",
    summary="Assemble a Debian system image from the Debian archive",
    flags=(
        Flag("from-lock", "string", "Assemble exactly the packages that this file lists"),
        Flag("include", "list", "Packages besides the base system, separated by commas"),
        JSON_FLAG,
        Flag("lock", "string", "Write the list of packages, with versions and hashes, to this file"),
        Flag("quiet", "", "Print only the image's id", short="q"),
        Flag("tag", "string", "Name of the image, instead of the release's own", short="t"),
    ),
    maximum=1,
    description="RELEASE is debian:13 (the default), debian:12, debian:11, debian:14, debian:sid\n"
    "or a code name (debian:trixie). A package is NAME or NAME=VERSION.",
)


def execute(arguments: Arguments) -> int:
    """Assemble a release and print the image's id."""
    from labbox.actions.bootstrap import BootstrapRequest
    from labbox.cli.assembling import assemble

    request = BootstrapRequest(
        release=arguments.positionals[0] if arguments.positionals else None,
        include=tuple(name for text in arguments.texts("include") for name in text.split(",") if name),
        name=arguments.text("tag"),
        write_lock=arguments.text("lock"),
        from_lock=arguments.text("from-lock"),
    )
    quiet = arguments.switch("quiet") or arguments.switch("json")
    result = assemble(open_settings(), request, quiet=quiet)
    packages = len(result.lock.debs)
    if arguments.switch("json"):
        print_json(
            {
                "name": result.name,
                "id": str(result.image.id),
                "digest": str(result.image.manifest_digest),
                "packages": packages,
                "size_bytes": result.size_bytes,
                "was_present": result.was_present,
            }
        )
        return 0
    if not quiet:
        what = "already there" if result.was_present else "assembled"
        note(f"{result.name}: {what}, {packages} packages, {human_size(result.size_bytes)}")
    print(result.image.id)
    return 0
