"""`labbox info`."""

from labbox.actions.describe_machine import describe_machine
from labbox.cli.flags import Arguments, Command
from labbox.cli.humanize import human_binary_size
from labbox.cli.listing import INSPECT_FORMAT_FLAG, JSON_FLAG
from labbox.cli.output import print_json
from labbox.cli.session import open_engine

COMMAND = Command(
    name="info",
    usage="",
    summary="Display system-wide information",
    flags=(INSPECT_FORMAT_FLAG, JSON_FLAG),
    maximum=0,
    aliases=("system info",),
)
_TITLES = (
    ("Containers", "Containers"),
    (" Running", "ContainersRunning"),
    (" Stopped", "ContainersStopped"),
    ("Images", "Images"),
    ("Version", "ServerVersion"),
    ("Storage Driver", "Driver"),
    ("Identity Mode", "IdentityMode"),
    ("Kernel Version", "KernelVersion"),
    ("Operating System", "OperatingSystem"),
    ("OSType", "OSType"),
    ("Architecture", "Architecture"),
    ("CPUs", "NCPU"),
    ("Total Memory", "MemTotal"),
    ("Name", "Name"),
    ("Data Dir", "DockerRootDir"),
    ("Runtime Dir", "RuntimeDir"),
    ("Settings File", "ConfigFile"),
)


def execute(arguments: Arguments) -> int:
    """Print what is here and how containers run."""
    document = describe_machine(open_engine())
    template = arguments.text("format")
    if arguments.switch("json") or template == "json":
        print_json(document, indent=4 if arguments.switch("json") else None)
    elif template:
        from labbox.cli.templates.rendering import InspectTemplate

        print(InspectTemplate(template).render(document))
    else:
        document["MemTotal"] = human_binary_size(document["MemTotal"])
        for title, key in _TITLES:
            print(f"{title}: {document[key]}")
    return 0
