"""What a laboratory has left on the machine: processes, mounts, files."""

import os


def processes_using(home: str) -> dict[int, str]:
    """Processes with a file open or a mount made below `home`, with their names; zombies do not count."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and _uses(int(entry), home):
            found[int(entry)] = process_name(int(entry))
    return found


def processes_in_pid_namespace(namespace: str) -> list[int]:
    """Processes whose /proc/PID/ns/pid reads `namespace`."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and pid_namespace(int(entry)) == namespace]


def pid_namespace(pid: int) -> str | None:
    """What /proc/PID/ns/pid reads; None when it cannot be read."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None


def process_name(pid: int) -> str:
    """The name of a process, empty when it is gone."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def mounts_below(home: str) -> list[str]:
    """Lines of this process's mount table with something below `home`."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return [line for line in file if f"{home}/" in line]


def entries_below(home: str) -> set[str]:
    """Everything in a laboratory's folders for containers, volumes and unfinished work, relative to the home."""
    found = set()
    for part in ("data/containers", "data/containers/names", "data/volumes", "data/tmp"):
        try:
            found |= {f"{part}/{name}" for name in os.listdir(os.path.join(home, part))}
        except FileNotFoundError:
            continue
    return found - {"data/containers/names"}


def _uses(pid: int, home: str) -> bool:
    """In a mount namespace of its own with something of the home mounted, or with a file of it open."""
    try:
        if os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt"):
            with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
                if any(f"{home}/" in line for line in file):
                    return True
        return any(_link(f"/proc/{pid}/fd/{number}").startswith(f"{home}/") for number in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
