"""A root file system of two megabytes made of programs of this host: an image for tests without a network."""

import io
import os
import shutil
import subprocess
import tarfile
from typing import IO

# A statically linked busybox is the best choice; else these programs of the host come with their libraries.
_PROGRAMS = (
    "sh", "cat", "chmod", "chown", "cp", "dd", "echo", "env", "false", "head", "hostname", "id", "kill", "ln", "ls",
    "mkdir", "mount", "mv", "printf", "ps", "pwd", "readlink", "rm", "sleep", "stat", "stty", "touch", "true", "umount",
    "wc", "grep", "test", "tty",
)  # fmt: skip
_ACCOUNTS = """\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
developer:x:1000:1000::/home/developer:/bin/sh
tester:x:1234:1235::/home/tester:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
"""
_GROUPS = """\
root:x:0:
daemon:x:1:
tty:x:5:
audio:x:29:developer
staff:x:50:tester,developer
developer:x:1000:
tester:x:1235:
nogroup:x:65534:
"""
_FOLDERS = {
    "bin": (0o755, 0), "dev": (0o755, 0), "etc": (0o755, 0), "home": (0o755, 0), "home/developer": (0o755, 1000),
    "data": (0o755, 0), "data/inner": (0o750, 1000), "proc": (0o755, 0), "root": (0o700, 0), "run": (0o755, 0),
    "sys": (0o755, 0), "tmp": (0o1777, 0), "usr": (0o755, 0), "var": (0o755, 0), "var/tmp": (0o1777, 0),
}  # fmt: skip
# Programs of the host run in a container that mounts the host's /usr, where /lib and its like are links into it.
_LINKS = {"lib": "usr/lib", "lib64": "usr/lib64", "sbin": "bin", "data/link": "greeting"}
_FILES = {
    "etc/passwd": (_ACCOUNTS, 0o644, 0),
    "etc/group": (_GROUPS, 0o644, 0),
    "data/greeting": ("hello\n", 0o644, 0),
    "data/inner/owned": ("developer's\n", 0o640, 1000),
}


def write_tiny_image(stream: IO[bytes], *, prefer_busybox: bool = True) -> None:
    """Write the root file system as a tar archive; raises FileNotFoundError when this host lacks a program to copy."""
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for name, (mode, owner) in _FOLDERS.items():
            _add(archive, name, tarfile.DIRTYPE, mode=mode, owner=owner)
        for name, (text, mode, owner) in _FILES.items():
            _add(archive, name, tarfile.REGTYPE, text.encode(), mode=mode, owner=owner)
        busybox = find_static_busybox() if prefer_busybox else None
        if busybox is not None:
            _add_busybox(archive, busybox)
        else:
            _add_host_programs(archive)
        for name, target in _LINKS.items():
            _add(archive, name, tarfile.SYMTYPE, link=target)


def find_static_busybox() -> str | None:
    """The host's busybox when it needs no libraries."""
    path = shutil.which("busybox")
    return path if path is not None and not _libraries_of(path) else None


def _add_busybox(archive: tarfile.TarFile, busybox: str) -> None:
    _add_file(archive, "bin/busybox", busybox)
    listing = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True)
    for applet in listing.stdout.split():
        if applet != "busybox":
            _add(archive, f"bin/{applet}", tarfile.SYMTYPE, link="busybox")


def _add_host_programs(archive: tarfile.TarFile) -> None:
    libraries: set[str] = set()
    for name in _PROGRAMS:
        path = shutil.which(name)
        if path is None:
            raise FileNotFoundError(f"this host has no program `{name}` to make an image of")
        _add_file(archive, f"bin/{name}", path)
        libraries.update(_libraries_of(path))
    for library in sorted(libraries):
        place = library.removeprefix("/")
        _add_file(archive, place if place.startswith("usr/") else f"usr/{place}", library)


def _libraries_of(program: str) -> list[str]:
    """The absolute paths that ldd(1) prints; none for a static program."""
    listing = subprocess.run(["ldd", program], check=False, capture_output=True, text=True)
    return [word for line in listing.stdout.splitlines() for word in line.split() if word.startswith("/")]


def _add_file(archive: tarfile.TarFile, name: str, source: str) -> None:
    with open(os.path.realpath(source), "rb") as file:
        _add(archive, name, tarfile.REGTYPE, file.read(), mode=0o755)


def _add(
    archive: tarfile.TarFile,
    name: str,
    kind: bytes,
    content: bytes = b"",
    *,
    link: str = "",
    mode: int = 0o777,
    owner: int = 0,
) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname, entry.size = kind, mode, link, len(content)
    entry.uid = entry.gid = owner
    archive.addfile(entry, io.BytesIO(content))
