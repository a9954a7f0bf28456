"""`labbox info`: what is here, and how containers run on this machine."""

import os
from typing import Any

from labbox import __version__
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import UnsupportedError
from labbox.store.images import ImageStore


def describe_machine(engine: EmbeddedEngine) -> dict[str, Any]:
    """A document with docker's names where docker has the same thing."""
    containers = list(engine.list())
    running = sum(container.is_running for container in containers)
    system = os.uname()
    return {
        "Containers": len(containers),
        "ContainersRunning": running,
        "ContainersPaused": 0,
        "ContainersStopped": len(containers) - running,
        "Images": len({image.id for image in ImageStore(engine.settings.store_dir).list_images()}),
        "ServerVersion": __version__,
        "Driver": "overlay",
        "IdentityMode": _mode(engine),
        "KernelVersion": system.release,
        "OperatingSystem": _operating_system(),
        "OSType": "linux",
        "Architecture": system.machine,
        "NCPU": len(os.sched_getaffinity(0)),
        "MemTotal": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "Name": system.nodename,
        "DockerRootDir": engine.settings.data_dir,
        "RuntimeDir": engine.settings.runtime_dir,
        "ConfigFile": engine.settings.config_file,
    }


def _mode(engine: EmbeddedEngine) -> str:
    try:
        return engine.identity.mode
    except UnsupportedError as error:
        return f"none ({error.message})"


def _operating_system() -> str:
    try:
        with open("/etc/os-release", encoding="utf-8") as file:
            lines = dict(line.rstrip().split("=", 1) for line in file if "=" in line)
    except OSError:
        return "Linux"
    return lines.get("PRETTY_NAME", "Linux").strip('"')
