"""Where wheels are installed to inside an image, and for which Python."""

from dataclasses import dataclass

# 1980-01-01, the first day that zip and MS-DOS know. The same for all that is installed: layout 1.
MTIME = 315532800
ENVIRONMENT_PREFIX = "/opt/env"
SERVICES_PREFIX = "/opt/labbox"
DEVELOPER_ID = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A tree that wheels are installed into: its folder, the language version (`3.13`) and the owner of its files."""

    prefix: str
    language: str
    uid: int = 0
    gid: int = 0

    @property
    def python(self) -> str:
        """The interpreter that scripts start with."""
        return f"{self.prefix}/bin/python"

    @property
    def site_packages(self) -> str:
        """The folder of modules, pure or not, relative to the prefix: the same for Python 2 and 3 (site.py)."""
        return f"lib/python{self.language}/site-packages"


def environment_target(language: str) -> Target:
    """The lab's own environment, which belongs to developer."""
    return Target(prefix=ENVIRONMENT_PREFIX, language=language, uid=DEVELOPER_ID, gid=DEVELOPER_ID)


def services_target(language: str) -> Target:
    """The services' environment, which belongs to root."""
    return Target(prefix=SERVICES_PREFIX, language=language)
