"""A project folder of one person, in which `labbox` is called as its researcher would."""

import json
import os
import subprocess
import urllib.request
from typing import Any

from harness.laboratory import Lab
from harness.terminal import Terminal

# A custom service on the system's Python and one small pure wheel: seconds to make, not minutes.
SMALL = """\
[packages]
python = ["six"]

[services]
jupyter = false
tensorboard = false

[services.web]
command = "exec python -m http.server 8000 --bind 127.0.0.1"
port = 8000
health = "/"
"""
_SECONDS = 120
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Project:
    """A folder with a definition; calls are `labbox ARGUMENTS...` in it."""

    def __init__(self, lab: Lab, name: str = "small", definition: str = SMALL) -> None:
        self.lab = lab
        self.name = name
        self.folder = lab.folder(name)
        if definition:
            self.write("labbox.toml", definition)

    def __call__(self, *arguments: str, **keywords: Any) -> subprocess.CompletedProcess[str]:
        """Run `labbox ARGUMENTS...` here; what it printed is text."""
        return self.lab(*arguments, **{"cwd": self.folder, "timeout": _SECONDS, **keywords})

    def output(self, *arguments: str, **keywords: Any) -> str:
        """What `labbox ARGUMENTS...` prints, without the last newline; it must succeed."""
        return self.lab.output(*arguments, **{"cwd": self.folder, "timeout": _SECONDS, **keywords})

    def up(self, *arguments: str, **keywords: Any) -> dict[str, Any]:
        """What `labbox up --json` says; it must succeed."""
        document: dict[str, Any] = json.loads(self.output("up", "--json", *arguments, **keywords))
        return document

    def status(self) -> dict[str, Any]:
        """What `labbox status --json` says."""
        document: dict[str, Any] = json.loads(self("status", "--json").stdout)
        return document

    def spawn(self, *arguments: str, **popen: Any) -> subprocess.Popen[bytes]:
        """Start `labbox ARGUMENTS...` here and go on."""
        return self.lab.spawn(*arguments, **{"cwd": self.folder, **popen})

    def on_terminal(self, *arguments: str, **keywords: Any) -> Terminal:
        """Start `labbox ARGUMENTS...` here on a terminal."""
        return self.lab.on_terminal(*arguments, **{"cwd": self.folder, **keywords})

    def write(self, name: str, text: str) -> str:
        """A file of the project."""
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chown(path, self.lab.person.uid, self.lab.person.gid)
        return path

    def read(self, name: str) -> str:
        """What is in a file of the project."""
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()


def service(document: dict[str, Any], name: str = "web") -> dict[str, Any]:
    """What `up` or `status` says of a service."""
    found: dict[str, Any] = next(entry for entry in document["services"] if entry["name"] == name)
    return found


def fetch(url: str) -> str:
    """What an address answers, past all proxies."""
    with _DIRECT.open(url, timeout=20) as answer:
        return str(answer.read().decode("utf-8", "replace"))
