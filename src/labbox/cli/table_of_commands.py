"""Every command of labbox in one table: what it is called, which module does it, its line in `labbox --help`."""

from labbox.lightweight_typing import NamedTuple


class Entry(NamedTuple):
    """A command: its module under `labbox.cli.commands`, and one line of help."""

    module: str
    summary: str


class Section(NamedTuple):
    """A heading of `labbox --help` and the commands under it."""

    title: str
    names: tuple[str, ...]


class Group(NamedTuple):
    """A docker management command (`labbox image ls`): its commands by the name they have in the group."""

    summary: str
    entries: dict[str, Entry]


COMMANDS: dict[str, Entry] = {
    "run": Entry("run", "Create and run a new container from an image"),
    "exec": Entry("exec", "Execute a command in a running container"),
    "ps": Entry("ps", "List containers"),
    "logs": Entry("logs", "Fetch the logs of a container"),
    "create": Entry("create", "Create a new container"),
    "start": Entry("start", "Start one or more stopped containers"),
    "stop": Entry("stop", "Stop one or more running containers"),
    "restart": Entry("restart", "Restart one or more containers"),
    "kill": Entry("kill", "Kill one or more running containers"),
    "wait": Entry("wait", "Block until one or more containers stop, then print their exit codes"),
    "attach": Entry("attach", "Attach local standard input, output, and error streams to a running container"),
    "rename": Entry("rename", "Rename a container"),
    "rm": Entry("rm", "Remove one or more containers"),
    "inspect": Entry("inspect", "Return low-level information on containers, images and volumes"),
    "top": Entry("top", "Display the running processes of a container"),
    "stats": Entry("stats", "Display a live stream of container(s) resource usage statistics"),
    "port": Entry("port", "List port mappings or a specific mapping for the container"),
    "cp": Entry("cp", "Copy files/folders between a container and the local filesystem"),
    "diff": Entry("diff", "Inspect changes to files or directories on a container's filesystem"),
    "export": Entry("export", "Export a container's filesystem as a tar archive, or a lab's lock for other tools"),
    "bootstrap": Entry("bootstrap", "Assemble a Debian system image from the Debian archive"),
    "init": Entry("init", "Write a labbox.toml, and with a template sample programs"),
    "up": Entry("up", "Lock, build and start the lab of a project folder, and print its links"),
    "down": Entry("down", "Stop and remove a lab's container; project, lock, image and named volumes stay"),
    "build": Entry("build", "Build an image from a Dockerfile, or the image of a lab from its lock"),
    "status": Entry("status", "Show whether a lab runs, and the state and link of each of its services"),
    "open": Entry("open", "Open a service of this folder's lab in the browser, JupyterLab by default"),
    "shell": Entry("shell", "Open a shell in the lab of this folder, or run a command there"),
    "lock": Entry("lock", "Choose exact versions of everything a lab needs, and write them to labbox.lock"),
    "add": Entry("add", "Add packages to a lab's definition, and lock it"),
    "remove": Entry("remove", "Take packages out of a lab's definition, and lock it"),
    "images": Entry("images", "List images"),
    "commit": Entry("commit", "Create a new image from a container's changes"),
    "import": Entry("import_image", "Import the contents from a tarball to create a filesystem image"),
    "save": Entry("save", "Save one or more images to a tar archive (streamed to STDOUT by default)"),
    "load": Entry("load", "Load an image from a tar archive or STDIN"),
    "history": Entry("history", "Show the history of an image"),
    "pull": Entry("pull", "Download an image from a registry"),
    "push": Entry("push", "Upload an image to a registry"),
    "login": Entry("login", "Authenticate to a registry"),
    "logout": Entry("logout", "Log out from a registry"),
    "search": Entry("search", "Search Docker Hub or another registry for images"),
    "tag": Entry("tag", "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE"),
    "rmi": Entry("rmi", "Remove one or more images"),
    "doctor": Entry("doctor", "Try what labbox needs on this machine and say how to fix the rest"),
    "info": Entry("info", "Display system-wide information"),
    "version": Entry("version", "Show the labbox version information"),
}

SECTIONS: tuple[Section, ...] = (
    Section("Labs", ("init", "up", "down", "build", "status", "open", "shell", "lock", "add", "remove")),
    Section("Run a container", ("run", "exec", "ps", "logs", "stop", "rm")),
    Section("Life of a container", ("create", "start", "restart", "kill", "wait", "attach", "rename")),
    Section("Look inside", ("inspect", "top", "stats", "port", "diff", "cp", "export")),
    Section("Images", ("images", "bootstrap", "commit", "import", "save", "load", "history", "tag", "rmi")),
    Section("Registries", ("pull", "push", "login", "logout", "search")),
    Section("This machine", ("doctor", "info", "version")),
)

GROUPS: dict[str, Group] = {
    "container": Group(
        "Manage containers",
        {
            **{
                name: COMMANDS[name]
                for name in (
                    "attach", "commit", "cp", "create", "diff", "exec", "export", "kill", "logs", "port", "rename",
                    "restart", "rm", "run", "start", "stats", "stop", "top", "wait",
                )
            },
            "inspect": Entry("container_inspect", "Display detailed information on one or more containers"),
            "ls": COMMANDS["ps"],
            "prune": Entry("container_prune", "Remove all stopped containers"),
        },
    ),
    "image": Group(
        "Manage images",
        {
            "build": COMMANDS["build"],
            "history": COMMANDS["history"],
            "import": COMMANDS["import"],
            "inspect": Entry("image_inspect", "Display detailed information on one or more images"),
            "load": COMMANDS["load"],
            "ls": COMMANDS["images"],
            "pull": COMMANDS["pull"],
            "push": COMMANDS["push"],
            "prune": Entry("image_prune", "Remove unused images"),
            "rm": COMMANDS["rmi"],
            "save": COMMANDS["save"],
            "tag": COMMANDS["tag"],
        },
    ),
    "system": Group(
        "Manage labbox",
        {
            "df": Entry("system_df", "Show labbox's disk usage"),
            "info": COMMANDS["info"],
            "prune": Entry("system_prune", "Remove unused data"),
        },
    ),
    "volume": Group(
        "Manage volumes",
        {
            "create": Entry("volume_create", "Create a volume"),
            "inspect": Entry("volume_inspect", "Display detailed information on one or more volumes"),
            "ls": Entry("volume_ls", "List volumes"),
            "prune": Entry("volume_prune", "Remove unused local volumes"),
            "rm": Entry("volume_rm", "Remove one or more volumes"),
        },
    ),
}  # fmt: skip

# docker's other names for commands of a group
GROUP_ALIASES: dict[str, dict[str, str]] = {
    "container": {"list": "ls", "ps": "ls", "remove": "rm"},
    "image": {"list": "ls", "remove": "rm"},
    "system": {},
    "volume": {"list": "ls", "remove": "rm"},
}
