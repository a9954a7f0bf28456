"""The real `labbox` command as one person in one identity mode, with a home of its own."""

import json
import os
import shutil
import subprocess
from typing import Any, NamedTuple

from harness import leaks
from harness.people import Person
from harness.terminal import Terminal
from harness.waiting import wait_until

TINY = "tiny"
# Programs of the host in the tiny image, whose /lib is a link into /usr.
HOST_PROGRAMS = ("-v", "/usr:/usr:ro")


class Installation(NamedTuple):
    """A copy of the source that all can read, an interpreter that all can execute, the tiny image's archive."""

    source: str
    python: str
    archive: str


class Lab:
    """Runs `labbox` as a person; every call is a real process."""

    def __init__(self, installation: Installation, person: Person, home: str, mode: str) -> None:
        self.installation = installation
        self.person = person
        self.home = home
        self.mode = mode
        self.archive = installation.archive
        self.environment = {
            "HOME": home,
            "LABBOX_HOME": home,
            "LC_ALL": "C.UTF-8",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": installation.source,
        }

    # Running the command.

    def __call__(self, *arguments: str, **keywords: Any) -> "subprocess.CompletedProcess[str]":
        """Run `labbox ARGUMENTS...`; keywords are `input`, `timeout`, `environment` and those of subprocess.Popen."""
        done = self.binary(*arguments, **keywords)
        out, err = (stream.decode("utf-8", "surrogateescape") for stream in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(arguments, done.returncode, out, err)

    def binary(self, *arguments: str, **keywords: Any) -> "subprocess.CompletedProcess[bytes]":
        """As a call; what it printed is bytes."""
        feed = input_for(keywords)
        timeout = keywords.pop("timeout", 60)
        return subprocess.run(
            self.command(*arguments),
            check=False,
            capture_output=True,
            timeout=timeout,
            **feed,
            **self.options(keywords),
        )

    def run(self, *arguments: str, **keywords: Any) -> "subprocess.CompletedProcess[str]":
        """`labbox run --rm ARGUMENTS...`."""
        return self("run", "--rm", *arguments, **keywords)

    def output(self, *arguments: str, **keywords: Any) -> str:
        """What `labbox ARGUMENTS...` prints, without the last newline; it must succeed."""
        done = self(*arguments, **keywords)
        assert done.returncode == 0, f"labbox {' '.join(arguments)}: {done.returncode}: {done.stderr}"
        return done.stdout.removesuffix("\n")

    def start(self, *arguments: str, **keywords: Any) -> str:
        """`labbox run -d ARGUMENTS...`: the id of the container, which runs."""
        return self.output("run", "-d", *arguments, **keywords)

    def shell(self, script: str, *flags: str, **keywords: Any) -> str:
        """What a script prints in a fresh container of the tiny image."""
        return self.output("run", "--rm", *flags, TINY, "sh", "-c", script, **keywords)

    def spawn(self, *arguments: str, **popen: Any) -> "subprocess.Popen[bytes]":
        """Start `labbox ARGUMENTS...` and go on."""
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(self.command(*arguments), **self.options({**streams, **popen}))

    def on_terminal(self, *arguments: str, rows: int = 24, columns: int = 80, **popen: Any) -> Terminal:
        """Start `labbox ARGUMENTS...` on a terminal."""
        return Terminal(self.command(*arguments), rows=rows, columns=columns, **self.options(popen))

    def command(self, *arguments: str) -> list[str]:
        """The command line of `labbox ARGUMENTS...`."""
        return [self.installation.python, "-m", "labbox", *arguments]

    def options(self, popen: dict[str, Any]) -> dict[str, Any]:
        """Keywords of subprocess.Popen that make a process this person's."""
        options: dict[str, Any] = {"cwd": self.home, **popen}
        options["env"] = {**self.environment, **options.pop("environment", {})}
        if os.geteuid() == 0 and self.person.uid != 0:
            options |= {"user": self.person.uid, "group": self.person.gid, "extra_groups": []}
        return options

    # Looking at it.

    def folder(self, name: str = "files") -> str:
        """A folder of this person to mount, made when missing."""
        path = os.path.join(self.home, "shared", name)
        os.makedirs(path, exist_ok=True)
        for made in (os.path.dirname(path), path):
            os.chown(made, self.person.uid, self.person.gid)
        return path

    def write(self, name: str, text: str, mode: int = 0o644) -> str:
        """A file of this person."""
        path = os.path.join(self.folder(), name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        os.chown(path, self.person.uid, self.person.gid)
        return path

    def record(self, name: str) -> dict[str, Any]:
        """The state record of a container as it stands on disk, without any command looking first."""
        path = os.path.join(self.home, "data/containers/names", name, "state.json")
        with open(path, encoding="utf-8") as file:
            document: dict[str, Any] = json.load(file)
        return document

    def status(self, name: str) -> str:
        """`running`, `exited` and so on, as a command tells it; empty for no such container."""
        lines = self.output("ps", "-a", "--no-trunc", "--format", "{{.Names}} {{.State}}").splitlines()
        return next((line.split()[1] for line in lines if line.split()[0] == name), "")

    def wait_for_status(self, name: str, status: str) -> None:
        """Wait until the container is in that state."""
        wait_until(lambda: self.status(name) == status, what=f"{name} is {status}")

    def wait_for_output(self, name: str, text: str) -> None:
        """Wait until the container has written something."""
        wait_until(lambda: text in self("logs", name).stdout, what=f"{name} writes {text!r}")

    def exists(self, name: str) -> bool:
        """True when a container has that name."""
        return os.path.islink(os.path.join(self.home, "data/containers/names", name))

    def processes(self) -> dict[int, str]:
        """Processes of this laboratory that still live."""
        return leaks.processes_using(self.home)

    # Cleaning up.

    def clear(self) -> None:
        """Remove every container and volume, and see to it that nothing is left behind."""
        if leaks.entries_below(self.home):
            names = self("ps", "-aq").stdout.split()
            if names:
                self("rm", "-f", "-v", *names)
            volumes = self("volume", "ls", "-q").stdout.split()
            if volumes:
                self("volume", "rm", "-f", *volumes)
        try:
            wait_until(lambda: not self.processes(), what=lambda: f"no process is left: {self.processes()}")
            wait_until(
                lambda: not leaks.entries_below(self.home),
                what=lambda: f"all is removed: {leaks.entries_below(self.home)}",
            )
            assert not leaks.mounts_below(self.home)
        finally:
            self._wipe()

    def _wipe(self) -> None:
        """Whatever a failed test has left, and the folders it shared: the next one starts clean."""
        for name in ("shared", "data/labs"):
            shutil.rmtree(os.path.join(self.home, name), ignore_errors=True)
        for entry in leaks.entries_below(self.home):
            path = os.path.join(self.home, entry)
            if os.path.islink(path) or os.path.isfile(path):
                os.unlink(path)
            else:
                shutil.rmtree(path, ignore_errors=True)

    def remove(self) -> None:
        """Delete the home; what belongs to subordinate ids only their user namespace can."""
        program = (
            "import os, sys\n"
            "from labbox.engine.embedded.engine import EmbeddedEngine\n"
            "from labbox.files import remove_tree\n"
            "from labbox.linux.idmap import run_mapped\n"
            "from labbox.settings import load_settings\n"
            "engine = EmbeddedEngine(load_settings(os.environ), os.environ)\n"
            "def empty(home): [remove_tree(os.path.join(home, name)) for name in os.listdir(home)]\n"
            "run_mapped(engine.identity, lambda: empty(sys.argv[1]))\n"
        )
        subprocess.run([self.installation.python, "-c", program, self.home], check=True, **self.options({}))


def input_for(keywords: dict[str, Any]) -> dict[str, Any]:
    """Take `input` (text, bytes or none) out of the keywords of a call; what subprocess.run wants instead."""
    data = keywords.pop("input", None)
    if "stdin" in keywords:
        return {}
    if data is None:
        return {"stdin": subprocess.DEVNULL}
    return {"input": data.encode() if isinstance(data, str) else data}
