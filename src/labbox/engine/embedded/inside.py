"""The processes of a running container, as the host sees them."""

import os

from labbox.engine.embedded.records import Container


def list_processes(container: Container) -> list[int]:
    """Numbers (the host's) of the container's processes: all that live in the pid namespace of its init.

    Namespaces of other users' processes cannot be read, and none of them is ours.
    """
    namespace = _pid_namespace(container.state.pid)
    if namespace is None:
        return []
    found = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return sorted(pid for pid in found if _pid_namespace(pid) == namespace)


def _pid_namespace(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None
