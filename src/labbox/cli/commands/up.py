"""`labbox up`."""

import os
import sys

from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.listing import JSON_FLAG
from labbox.cli.output import note, print_json
from labbox.cli.session import open_engine

COMMAND = Command(
    name="up",
    usage="[DIR]",
    summary="Lock, build and start the lab of a project folder, and print its links",
    flags=(
        Flag("build", "", "Make the image again although nothing has changed"),
        Flag("detach", "", "Do not wait until the services answer", short="d"),
        Flag("frozen", "", "Use labbox.lock as it is; fail when it does not fit the definition"),
        JSON_FLAG,
        Flag("name", "string", "Name of the lab, instead of the definition's or the folder's"),
        Flag("quiet", "", "Print only the links", short="q"),
        Flag("recreate", "", "Make the container anew although nothing has changed"),
    ),
    maximum=1,
    description="DIR is the project folder, by default the current one. It is /workspace inside.\n"
    "A second `up` changes nothing and prints the links again.",
)


def execute(arguments: Arguments) -> int:
    """Bring the lab of a folder up; 1 when a service does not start."""
    from labbox.actions.lab.prepare import LabRequest
    from labbox.actions.lab.record import lab_folder
    from labbox.actions.lab_status import service_lines
    from labbox.actions.up import UpRequest, up
    from labbox.cli.lab_stages import lab_stages
    from labbox.cli.up_report import failed_services, lab_document, print_links, print_notes

    request = UpRequest(
        lab=LabRequest(
            project=arguments.positionals[0] if arguments.positionals else os.getcwd(),
            name=arguments.text("name"),
            frozen=arguments.switch("frozen"),
            build=arguments.switch("build"),
        ),
        recreate=arguments.switch("recreate"),
        wait=not arguments.switch("detach"),
    )
    quiet = arguments.switch("quiet") or arguments.switch("json")
    engine = open_engine()
    with lab_stages(quiet=quiet) as stages:

        def say(text: str) -> None:
            stages.close()
            note(text)

        result = up(engine, request, os.environ, stages.report, say)
    if not quiet:
        print_notes(result)
    lab = lab_folder(engine.settings, result.record.folder)
    lines = service_lines(lab, result.record, result.services)
    if arguments.switch("json"):
        print_json(lab_document(result, lines))
    else:
        print_links(result.record.name, lines)
    sys.stdout.flush()
    return 1 if failed_services(lab, lines) else 0
