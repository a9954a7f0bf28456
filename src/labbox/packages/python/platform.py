"""What a lab's Python takes: which wheels (tags), which requirements (markers), and its name for uv."""

from collections.abc import Iterator
from dataclasses import dataclass

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags

# The newest and oldest glibc that `uv pip compile --python-platform` has a name for.
_UV_NEWEST = 40
_UV_NAMED = (17, 28, *range(31, _UV_NEWEST + 1))
# The oldest glibc of the manylinux tags of an architecture, and their older names (PEP 600).
_OLDEST_GLIBC = {"x86_64": 5, "i686": 5}
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonPlatform:
    """A CPython on Linux: `version` in full (`3.13.5`), `abi` (`cp313`), the machine as uname says, the glibc."""

    version: str
    abi: str
    machine: str
    glibc: tuple[int, int]

    @property
    def language(self) -> tuple[int, int]:
        """The version of the language."""
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)

    @property
    def uv_name(self) -> str:
        """The newest platform that uv knows and this system still runs."""
        named = [minor for minor in _UV_NAMED if (2, minor) <= self.glibc]
        return f"{self.machine}-manylinux_2_{max(named, default=_UV_NAMED[0])}"

    def tags(self) -> list[Tag]:
        """The tags of wheels that can be installed, the best first (PEP 425)."""
        platforms = list(self._platforms())
        interpreter = f"cp{self.language[0]}{self.language[1]}"
        return [
            *cpython_tags(self.language, abis=[self.abi], platforms=platforms),
            *compatible_tags(self.language, interpreter=interpreter, platforms=platforms),
        ]

    def accepts(self, marker: str) -> bool:
        """True when an environment marker (PEP 508) holds here."""
        major, minor = self.language
        environment = {
            "implementation_name": "cpython",
            "implementation_version": self.version,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": self.version,
            "python_version": f"{major}.{minor}",
            "sys_platform": "linux",
        }
        return Marker(marker).evaluate({**environment, "extra": ""})

    def _platforms(self) -> Iterator[str]:
        for minor in range(self.glibc[1], _OLDEST_GLIBC.get(self.machine, 17) - 1, -1):
            yield f"manylinux_2_{minor}_{self.machine}"
            if minor in _OLD_NAMES:
                yield f"{_OLD_NAMES[minor]}_{self.machine}"
        yield f"linux_{self.machine}"
