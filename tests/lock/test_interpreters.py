from dataclasses import replace

import pytest

from labbox.errors import ResolutionError
from labbox.lock.interpreters import abi_of, find_interpreter, glibc_of, interpreter_packages
from labbox.lock.lab import LockedInterpreter
from lock.labs import make_deb, make_system_lock
from packages.debian.paragraphs import index_of, paragraph

_SYSTEM = make_system_lock()


def test_the_systems_python_is_what_its_package_python3_stands_for() -> None:
    expected = LockedInterpreter(version="3.13.5", path="/usr/bin/python3.13", abi="cp313")
    assert find_interpreter(_SYSTEM) == expected
    assert find_interpreter(_SYSTEM, "3.13") == expected
    assert expected.language == "3.13"


def test_another_python_of_the_system_may_be_asked_for() -> None:
    system = replace(_SYSTEM, debs=(*_SYSTEM.debs, make_deb("python2.7", "2.7.18-8+deb11u1")))
    assert find_interpreter(system, "2.7") == LockedInterpreter(
        version="2.7.18", path="/usr/bin/python2.7", abi="cp27mu"
    )
    with pytest.raises(ResolutionError, match=r"has no package `python3\.12`"):
        find_interpreter(_SYSTEM, "3.12")


@pytest.mark.parametrize(
    ("language", "abi"), [("3.13", "cp313"), ("3.7", "cp37m"), ("3.10", "cp310"), ("2.7", "cp27mu")]
)
def test_the_abi_follows_from_the_version(language: str, abi: str) -> None:
    assert abi_of(language) == abi


def test_the_c_library_is_the_systems() -> None:
    assert glibc_of(_SYSTEM) == (2, 41)


def test_a_release_is_asked_for_its_other_pythons() -> None:
    index = index_of(paragraph("python3", "3.9.2-3"), paragraph("python2.7", "2.7.18-8"))
    assert interpreter_packages([index], "amd64", "debian:11", "3.9") == []
    assert interpreter_packages([index], "amd64", "debian:11", "2.7") == ["python2.7"]
    with pytest.raises(ResolutionError, match=r"debian:11 has no Python 3\.1$") as caught:
        interpreter_packages([index], "amd64", "debian:11", "3.1")
    assert caught.value.hint is not None
    assert "its 3.9, or" in caught.value.hint
