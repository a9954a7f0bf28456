"""How single values are written: sizes, ports, mounts, packages, places.

Each function gives the value, or raises ValueError: with the reason, or empty when "expected …" says it all.
"""

import re
from posixpath import join, normpath
from typing import NamedTuple

from labbox.errors import UsageError
from labbox.oci.reference import parse_reference

WORKSPACE = "/workspace"
HIGHEST_PORT = 65535
LARGEST_SIZE = 2**63 - 1  # what a cgroup takes

# deb-src-control(5), Package; `=version` as `labbox bootstrap --include` takes it
SYSTEM_PACKAGE = r"^[a-z0-9][a-z0-9+.-]+(=[0-9][A-Za-z0-9.+~:-]*)?$"
PYTHON_VERSION = r"^[23]\.[0-9]{1,2}$"
SIZE = r"^[0-9]+(\.[0-9]+)? ?([kKmMgGtT]([iI]?[bB])?|[bB])?$"
SERVICE_NAME = r"^[a-z][a-z0-9_-]{0,31}$"
VARIABLE_NAME = r"^[^=\u0000]+$"
NETWORKS = ("auto", "bridge", "host", "none")
_PUBLISHED = re.compile(
    r"^((?P<address>\[[0-9a-fA-F:.]+\]|[0-9]+(\.[0-9]+){3}):)?((?P<host>[0-9]+(-[0-9]+)?)?:)?"
    r"(?P<inside>[0-9]+(-[0-9]+)?)(/(?P<protocol>tcp|udp))?$"
)
_VOLUME_NAME = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$")
_MOUNT_OPTIONS = frozenset({"ro", "rw", "nocopy", "z", "Z", "cached", "delegated", "consistent", "private", "rprivate"})


class MountText(NamedTuple):
    """A mount as docker's -v writes it; the source is empty for an anonymous volume."""

    source: str
    target: str
    options: tuple[str, ...]

    @property
    def is_folder(self) -> bool:
        """True for a folder of the host, which begins with /, ., or ~; otherwise the source is a volume's name."""
        return self.source.startswith(("/", ".", "~"))


def parse_size(text: str) -> int:
    """Bytes from `8g`, `512m`, `1.5 GiB`; units are powers of 1024."""
    if not re.fullmatch(SIZE, text):
        raise ValueError
    number = text.lower().rstrip("kmgtib ")
    unit = text.lower()[len(number) :].strip()[:1]
    size_bytes = int(float(number) * 1024 ** "bkmgt".index(unit or "b")) if len(number) <= 20 else LARGEST_SIZE + 1
    if size_bytes > LARGEST_SIZE:
        raise ValueError("no machine has as much")
    return size_bytes


def parse_python_version(text: str) -> str:
    """A version of the language, `3.13`."""
    if not re.fullmatch(PYTHON_VERSION, text):
        raise ValueError
    return text


def parse_system(text: str) -> str:
    """A Debian release, an image reference, or the path of a Dockerfile."""
    if text.startswith("./"):
        return "./" + parse_inner_path(text)
    try:
        parse_reference(text)
    except UsageError as error:
        looks_like_file = text.startswith(("/", "../")) or "ockerfile" in text or "ontainerfile" in text
        hint = "a file in the project folder begins with ./" if looks_like_file else error.message
        raise ValueError(hint) from None
    return text


def parse_inner_path(text: str) -> str:
    """A path inside the project folder, relative to it."""
    path = normpath(text)
    if not text or "\0" in text or path.startswith(("/", "../")) or path in ("..", "."):
        raise ValueError
    return path


def parse_container_path(text: str) -> str:
    """A path in the container; one that is not absolute begins at the project folder."""
    if not text or "\0" in text:
        raise ValueError
    return normpath(join(WORKSPACE, text)).replace("//", "/")


def parse_log_folder(text: str) -> str:
    """A folder of logs: inside the project folder, or anywhere in the container when it is absolute."""
    return normpath(text) if text.startswith("/") and "\0" not in text else parse_inner_path(text)


def parse_requirement(text: str) -> str:
    """A requirement (PEP 508)."""
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415  (15 ms at every start)

    try:
        Requirement(text)
    except (InvalidRequirement, RecursionError) as error:
        raise ValueError(_why_no_requirement(text) or str(error).partition("\n")[0]) from None
    return text.strip()


def _why_no_requirement(text: str) -> str:
    if text.startswith(("git+", "hg+", "http://", "https://", "file://")):
        return "write it as `name @ address`"
    if text.startswith("-"):
        return "options belong in a requirements file"
    if text.startswith((".", "/", "~")):
        return "a folder belongs in a requirements file"
    return ""


def parse_system_package(text: str) -> str:
    """A package of Debian, `NAME` or `NAME=VERSION`."""
    if not re.fullmatch(SYSTEM_PACKAGE, text):
        raise ValueError
    return text


def parse_word(text: str) -> str:
    """A text without white space: an address, a name of a group."""
    if not text or any(character.isspace() or character == "\0" for character in text):
        raise ValueError
    return text


def parse_line(text: str) -> str:
    """A text that is not empty."""
    if not text.strip() or "\0" in text:
        raise ValueError
    return text


def parse_value(text: str) -> str:
    """A variable's value, which may be empty."""
    if "\0" in text:
        raise ValueError
    return text


def parse_variable_name(text: str) -> str:
    """A variable's name."""
    if not re.fullmatch(VARIABLE_NAME, text):
        raise ValueError
    return text


def parse_service_name(text: str) -> str:
    """The name of a service of one's own."""
    if not re.fullmatch(SERVICE_NAME, text):
        raise ValueError
    return text


def parse_health_path(text: str) -> str:
    """A path that an HTTP server answers."""
    if not text.startswith("/") or parse_word(text) != text:
        raise ValueError
    return text


def parse_published(text: str) -> str:
    """A port as docker's -p writes it."""
    match = _PUBLISHED.fullmatch(text)
    if match is None:
        raise ValueError
    widths = []
    for group in ("host", "inside"):
        first, _, last = (match[group] or "").partition("-")
        if first:
            low, high = int(first), int(last or first)
            if not 1 <= low <= high <= HIGHEST_PORT:
                raise ValueError(f"ports go from 1 to {HIGHEST_PORT}")
            widths.append(high - low)
    if len(set(widths)) > 1:
        raise ValueError("both ranges must be equally long")
    return text


def published_host_ports(text: str) -> set[tuple[int, str]]:
    """The ports of the host that a port as docker's -p writes it takes, each with its protocol."""
    match = _PUBLISHED.fullmatch(text)
    if match is None or not match["host"]:
        return set()
    first, _, last = match["host"].partition("-")
    return {(port, match["protocol"] or "tcp") for port in range(int(first), int(last or first) + 1)}


def parse_mount(text: str) -> MountText:
    """A mount as docker's -v writes it, in its parts."""
    parts = text.split(":")
    if not all(parts) or len(parts) > 3 or "\0" in text:
        raise ValueError
    options = tuple(parts.pop().split(",")) if len(parts) == 3 else ()
    target, source = parts.pop(), "".join(parts)
    mount = MountText(source, target, options)
    if not target.startswith("/") or normpath(target) in ("/", "//"):
        raise ValueError("the place in the container must be an absolute path, and not /")
    if source and not mount.is_folder and not _VOLUME_NAME.fullmatch(source):
        raise ValueError("a folder begins with /, ./ or ~/")
    if set(options) - _MOUNT_OPTIONS:
        raise ValueError(f"unknown option {', '.join(sorted(set(options) - _MOUNT_OPTIONS))}")
    return mount


def check_mount(text: str) -> str:
    """The same text, once it is seen to be a mount."""
    parse_mount(text)
    return text


def parse_network(text: str) -> str:
    """The network as the engine calls it."""
    if text not in NETWORKS:
        raise ValueError
    return "auto" if text == "bridge" else text


def parse_gpus(text: str) -> str:
    """GPUs as docker's --gpus writes them, `auto` or `none`."""
    if text in ("auto", "all", "none") or re.fullmatch(r"^([1-9][0-9]{0,2}|device=[A-Za-z0-9,:.-]+)$", text):
        return text
    raise ValueError
