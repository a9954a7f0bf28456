import json
import re
import tomllib
from dataclasses import replace
from typing import Any

import pytest
from packaging.pylock import Pylock

from labbox.errors import UnsupportedError
from labbox.lock.exports.dockerfile import format_dockerfile
from labbox.lock.exports.pylock import format_pylock
from labbox.lock.exports.requirements import format_requirements
from labbox.lock.exports.spdx import format_spdx
from labbox.lock.lab import LockedImage, LockedInterpreter
from lock.labs import make_deb, make_lab_lock, make_locked_wheel

_PUBLIC = "https://files.pythonhosted.org/packages/aa/bb/pip-26.0-py3-none-any.whl"
_PIP = replace(make_locked_wheel("pip", "26.0"), url=_PUBLIC)
_LOCK = replace(
    make_lab_lock(),
    packages=(*make_lab_lock().packages, _PIP),
    services=(make_locked_wheel("jupyterlab"),),
    additions=(make_deb("libstdc++6", "1:14.2.0-19"),),
)


def test_requirements_are_exact_and_have_hashes() -> None:
    lines = format_requirements(_LOCK.packages).splitlines()
    assert lines[0] == f"a @ https://files.example/a-1.0-py3-none-any.whl --hash=sha256:{_LOCK.packages[0].sha256}"
    assert lines[2] == f"c @ https://files.example/c-1.0.tar.gz --hash=sha256:{'33' * 32}"
    assert lines[3] == f"pip==26.0 --hash=sha256:{_PIP.sha256}"


def test_pylock_is_what_its_specification_says() -> None:
    pylock = Pylock.from_dict(tomllib.loads(format_pylock(_LOCK)))
    pylock.validate()
    assert [str(package.name) for package in pylock.packages] == ["a", "b", "c", "pip"]
    assert pylock.packages[0].wheels is not None
    assert pylock.packages[0].wheels[0].size == 7
    assert pylock.packages[2].sdist is not None
    assert str(pylock.requires_python) == "==3.13.*"


def test_spdx_has_every_package_once_with_its_hash() -> None:
    text = format_spdx(_LOCK, "my-lab")
    assert format_spdx(_LOCK, "my-lab") == text
    document: dict[str, Any] = json.loads(text)
    identifiers = [package["SPDXID"] for package in document["packages"]]
    assert len(set(identifiers)) == len(identifiers) == 1 + 6 + 1 + 4 + 1
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.\-]+", identifier) for identifier in identifiers)
    assert document["relationships"][0]["relatedSpdxElement"] == identifiers[0]
    deb = next(package for package in document["packages"] if package["name"] == "libstdc++6")
    assert deb["checksums"] == [{"algorithm": "SHA256", "checksumValue": _LOCK.additions[0].sha256}]
    locator = deb["externalRefs"][0]["referenceLocator"]
    assert locator.startswith("pkg:deb/debian/libstdc%2B%2B6@1%3A14.2.0-19?arch=")
    built = next(package for package in document["packages"] if package["name"] == "c")
    assert built["sourceInfo"].startswith("built from https://files.example/c-1.0.tar.gz")


def test_a_dockerfile_pins_every_package() -> None:
    text = format_dockerfile(_LOCK, "my-lab")
    assert "FROM debian:13-slim\n" in text
    assert "http://snapshot.debian.org/archive/debian/20260101T080000Z trixie main" in text
    assert "libstdc++6=1:14.2.0-19" in text
    assert f"{_LOCK.additions[0].sha256}  libstdc++6_1%3a14.2.0-19_" in text
    for wheel in (_PIP, _LOCK.packages[0], _LOCK.services[0]):
        assert f"--hash=sha256:{wheel.sha256}" in text
    assert "-m venv --without-pip /opt/labbox" in text


def test_a_dockerfile_of_an_image_starts_from_its_digest() -> None:
    image = LockedImage(name="ubuntu:24.04", digest=f"sha256:{'11' * 32}")
    text = format_dockerfile(replace(_LOCK, system=image, additions=(), services=()), "my-lab")
    assert f"FROM ubuntu@sha256:{'11' * 32}\n" in text
    assert "apt-get" not in text
    assert 'CMD ["bash"]' in text


def test_a_dockerfile_for_python_2_needs_no_venv() -> None:
    old = LockedInterpreter(version="2.7.18", path="/usr/bin/python2.7", abi="cp27mu")
    text = format_dockerfile(replace(_LOCK, interpreter=old, services=()), "my-lab")
    assert "/usr/bin/python2.7 /tmp/pip-26.0-py3-none-any.whl/pip install" in text
    assert "-m venv" not in text


def test_wheels_of_this_machine_alone_cannot_be_had_by_docker() -> None:
    local = replace(make_locked_wheel("mine"), url="file:///home/me/mine-1.0-py3-none-any.whl")
    with pytest.raises(UnsupportedError, match="`mine` come from a folder of this machine"):
        format_dockerfile(replace(_LOCK, packages=(*_LOCK.packages, local)), "my-lab")
