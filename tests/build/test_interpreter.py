import json
from typing import Any

import pytest

from labbox.build.interpreter import ProbedSystem, read_answer
from labbox.errors import UnsupportedError
from labbox.lock.lab import LockedInterpreter

_ANSWER: dict[str, Any] = {
    "implementation": "CPython", "version": "3.13.5", "path": "/usr/bin/python3.13",
    "abi": "cpython-313-x86_64-linux-gnu", "unicode": 0x10FFFF, "libc": "glibc 2.41",
}  # fmt: skip


def _read(**changes: Any) -> ProbedSystem:
    return read_answer(json.dumps({**_ANSWER, **changes}), "python3")


def test_a_debian_python_is_understood() -> None:
    interpreter = LockedInterpreter(version="3.13.5", path="/usr/bin/python3.13", abi="cp313")
    assert _read() == ProbedSystem(interpreter=interpreter, glibc=(2, 41))


@pytest.mark.parametrize(
    ("version", "abi", "tag"),
    [
        ("3.14.0", "cpython-314t-x86_64-linux-gnu", "cp314t"),
        ("3.7.1", "cpython-37m-x86_64-linux-gnu", "cp37m"),
        ("2.7.18", "x86_64-linux-gnu", "cp27mu"),
        ("2.7.18", None, "cp27mu"),
    ],
)
def test_the_tag_of_the_abi_is_that_of_wheels(version: str, abi: str | None, tag: str) -> None:
    assert _read(version=version, abi=abi).interpreter.abi == tag


def test_another_c_library_has_no_glibc_version() -> None:
    assert _read(libc=None).glibc is None


def test_another_implementation_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="`python3` of the system is PyPy, not CPython"):
        _read(implementation="PyPy")
