"""Which Debian release has the Python that was asked for, when no system was named."""

from labbox.definition.values import DEFAULT_SYSTEM

# packages.debian.org: python3 of each release; python2.7 was last in Debian 11.
_SYSTEM_OF_PYTHON = {
    "3.13": "debian:13",
    "3.11": "debian:12",
    "3.9": "debian:11",
    "2.7": "debian:11",
}


def system_with_python(version: str | None, file_name: str) -> tuple[str, str]:
    """The release whose own Python this is, and a sentence about it when it is not the default one."""
    system = _SYSTEM_OF_PYTHON.get(version or "", DEFAULT_SYSTEM)
    if system == DEFAULT_SYSTEM:
        return system, ""
    return system, f"The system is {system}, because `{file_name}` asks for Python {version}."
