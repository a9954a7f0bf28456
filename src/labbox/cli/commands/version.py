"""`labbox version`."""

import os
import sys

from labbox import __version__
from labbox.cli.flags import Arguments, Command
from labbox.cli.listing import INSPECT_FORMAT_FLAG, JSON_FLAG
from labbox.cli.output import print_json

COMMAND = Command(
    name="version",
    usage="",
    summary="Show the labbox version information",
    flags=(INSPECT_FORMAT_FLAG, JSON_FLAG),
    maximum=0,
)


def execute(arguments: Arguments) -> int:
    """Print the version in docker's shape: `{{.Client.Version}}` and `{{.Server.Version}}` work."""
    document = describe_version()
    template = arguments.text("format")
    if arguments.switch("json") or template == "json":
        print_json(document, indent=4 if arguments.switch("json") else None)
    elif template:
        from labbox.cli.templates.rendering import InspectTemplate

        print(InspectTemplate(template).render(document))
    else:
        for key, value in document["Client"].items():
            print(f"{key + ':':<14}{value}")
    return 0


def describe_version() -> dict[str, dict[str, str]]:
    """The version as a document; there is no daemon, so client and server are the same program."""
    system = os.uname()
    python = ".".join(map(str, sys.version_info[:3]))
    facts = {
        "Version": __version__,
        "Python": f"{python} ({sys.executable})",
        "Os": system.sysname.lower(),
        "Arch": system.machine,
        "Kernel": system.release,
    }
    return {"Client": facts, "Server": facts}
