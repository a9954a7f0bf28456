"""The Python and the C library of any system, found by asking it in a throw-away container."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labbox.build.workshop import Workshop
from labbox.errors import EngineError, UnsupportedError
from labbox.lock.lab import LockedInterpreter

# For every Python from 2.7 on. The path is the program's own, behind links: a virtual environment leads to its base.
_PROGRAM = """
import json, os, platform, sys, sysconfig
try:
    libc = os.confstr(2)  # _CS_GNU_LIBC_VERSION, by its number: 2.7 does not know the name
except (AttributeError, OSError, ValueError):
    libc = None
print("labbox:" + json.dumps({
    "implementation": platform.python_implementation(),
    "version": platform.python_version(),
    "path": os.path.realpath(sys.executable),
    "abi": sysconfig.get_config_var("SOABI"),
    "unicode": sys.maxunicode,
    "libc": libc,
}))
"""
_MARK = "labbox:"
_WIDEST_CHARACTER = 0x10FFFF
_CANNOT_EXECUTE = (126, 127)
_HINT = "Choose a system with CPython, or one that labbox assembles (system = debian:13)."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedSystem:
    """What a system has: its interpreter, and the version of its glibc (None: it has another C library)."""

    interpreter: LockedInterpreter
    glibc: tuple[int, int] | None


def probe_system(workshop: Workshop, program: str = "python3") -> ProbedSystem:
    """Ask the workshop's system for the Python that `program` is; UnsupportedError when there is none that works."""
    try:
        with workshop.bench() as bench:
            done = workshop.run(bench, [program, "-S", "-c", _PROGRAM])
    except EngineError as error:
        if error.exit_code not in _CANNOT_EXECUTE:
            raise
        raise UnsupportedError(f"the system has no `{program}`", hint=_HINT) from error
    answers = [line.removeprefix(_MARK) for line in done.output.splitlines() if line.startswith(_MARK)]
    if done.code or not answers:
        raise UnsupportedError(f"`{program}` of the system does not work:\n{done.tail()}", hint=_HINT)
    return read_answer(answers[-1], program)


def read_answer(text: str, program: str) -> ProbedSystem:
    """What the program's answer says; UnsupportedError for an implementation that wheels are not made for."""
    answer = json.loads(text)
    if answer["implementation"] != "CPython":
        raise UnsupportedError(f"`{program}` of the system is {answer['implementation']}, not CPython", hint=_HINT)
    version = str(answer["version"]).rstrip("+")
    return ProbedSystem(
        interpreter=LockedInterpreter(version=version, path=str(answer["path"]), abi=_abi_tag(answer, version)),
        glibc=_read_glibc(answer["libc"]),
    )


def _abi_tag(answer: Mapping[str, Any], version: str) -> str:
    """The tag of wheels (PEP 425): from a SOABI like `cpython-313-x86_64-linux-gnu`; 2.7 has none."""
    major, minor = version.split(".")[:2]
    if major == "2":
        return f"cp{major}{minor}m" + ("u" if answer["unicode"] == _WIDEST_CHARACTER else "")
    words = str(answer["abi"] or "").split("-")
    return f"cp{words[1]}" if len(words) > 1 and words[0] == "cpython" else f"cp{major}{minor}"


def _read_glibc(text: str | None) -> tuple[int, int] | None:
    match = re.fullmatch(r"glibc (\d+)\.(\d+).*", text or "")
    return (int(match[1]), int(match[2])) if match else None
