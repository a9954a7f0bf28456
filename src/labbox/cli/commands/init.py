"""`labbox init`."""

from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.listing import JSON_FLAG
from labbox.cli.output import note, print_json

COMMAND = Command(
    name="init",
    usage="[DIR]",
    summary="Write a labbox.toml, and with a template sample programs",
    flags=(
        Flag("force", "", "Overwrite files that are there", short="f"),
        JSON_FLAG,
        Flag(
            "template", "string", "What to begin with: tensorflow, pytorch, jax, opencv or tensorflow-2016", short="t"
        ),
    ),
    maximum=1,
    description="DIR is the current folder unless it is named; it is made when it does not exist.",
)


def execute(arguments: Arguments) -> int:
    """Write the files and say what comes next."""
    from labbox.actions.init_project import init_project

    folder = arguments.positionals[0] if arguments.positionals else "."
    project = init_project(folder, template=arguments.text("template"), force=arguments.switch("force"))
    if arguments.switch("json"):
        print_json({"folder": project.folder, "files": list(project.files)})
        return 0
    for name in project.files:
        print(name if folder == "." else f"{folder.rstrip('/')}/{name}")
    note(f"next: labbox up{'' if folder == '.' else f' {folder}'}")
    return 0
