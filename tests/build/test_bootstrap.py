"""Real systems from the real archive, in every identity mode, through the real command."""

import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from harness.laboratory import Lab
from harness.modes import only_root, only_single

_MINUTES = 60.0


@pytest.fixture(scope="session", autouse=True)
def _archive_is_reachable() -> None:
    address = "http://deb.debian.org/debian/dists/stable/InRelease"
    try:
        urllib.request.urlopen(address, timeout=20).close()
    except (OSError, urllib.error.URLError):
        pytest.skip("the Debian archive cannot be reached")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the modes must agree on: the lock that the first one wrote, and its image."""
    folder = tmp_path_factory.mktemp("shared")
    os.chmod(folder, 0o755)
    return {"lock": str(folder / "system.lock")}


@pytest.fixture
def room(lab: Lab) -> Iterator[Lab]:
    """A laboratory whose images are removed in the end."""
    yield lab
    for name in lab.output("images", "--format", "{{.Repository}}:{{.Tag}}").split():
        if not name.startswith("tiny:"):
            lab("rmi", "-f", name)


def _bootstrap(lab: Lab, *arguments: str) -> dict[str, Any]:
    text = lab.output("bootstrap", "--json", *arguments, timeout=4 * _MINUTES)
    document: dict[str, Any] = json.loads(text)
    return document


def test_a_lock_gives_the_same_image_in_every_mode(room: Lab, shared: dict[str, Any]) -> None:
    path = room.write("given.lock", "")
    if "image" in shared:
        shutil.copyfile(shared["lock"], path)
        result = _bootstrap(room, "--from-lock", path)
    else:
        result = _bootstrap(room, "debian:13", "--lock", path)
        shutil.copyfile(path, shared["lock"])
        shared["image"] = (result["id"], result["digest"])
    assert (result["id"], result["digest"]) == shared["image"]
    assert result["packages"] > 70


def test_the_system_is_whole_and_takes_more_packages(room: Lab) -> None:
    _bootstrap(room, "debian:13")
    script = (
        "dpkg --audit && dpkg -V && apt-get -qq check && apt-get -qq update &&"
        "DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends jq >/dev/null && jq -n '[6*7]' -c"
    )
    assert room.output("run", "--rm", "debian:13", "sh", "-c", script, timeout=2 * _MINUTES) == "[42]"


@only_root
@pytest.mark.parametrize("release", ["debian:12", "debian:11"])
def test_older_releases_are_whole_too(room: Lab, release: str) -> None:
    _bootstrap(room, release)
    script = "dpkg --audit && dpkg -V && cat /etc/debian_version"
    assert room.output("run", "--rm", release, "sh", "-c", script).startswith(release.removeprefix("debian:") + ".")


@only_single
def test_packages_may_be_included_under_another_name(room: Lab) -> None:
    _bootstrap(room, "debian:13", "--include", "openssh-server,python3-minimal", "-t", "lab/base:1")
    script = "sshd -T -h /dev/null >/dev/null 2>&1; ls /etc/ssh/ssh_host_* 2>/dev/null; python3 -c 'print(6*7)'"
    assert room.output("run", "--rm", "lab/base:1", "sh", "-c", script) == "42"


@only_root
def test_the_second_time_nothing_is_assembled(room: Lab) -> None:
    first = _bootstrap(room, "debian:13")
    second = _bootstrap(room, "debian:13")
    assert second["was_present"]
    assert second["id"] == first["id"]


@only_root
def test_faults_are_one_clear_line(room: Lab) -> None:
    for arguments, expected in (
        (("debian:99",), "unknown Debian release `debian:99`"),
        (("debian:13", "--include", "grafviz"), "unknown Debian package `grafviz`"),
        (("debian:13", "--include", "exim4,postfix"), "cannot be installed together"),
        (("--from-lock", "/nonexistent"), "cannot read lock `/nonexistent`: No such file or directory"),
    ):
        done = room("bootstrap", *arguments, timeout=_MINUTES)
        assert done.returncode != 0
        assert expected in done.stderr
        assert "Traceback" not in done.stderr


@only_root
def test_a_mirror_that_cannot_be_reached_is_replaced_by_the_public_one(room: Lab) -> None:
    result = room(
        "bootstrap", "--json", "debian:13", timeout=2 * _MINUTES,
        environment={"LABBOX_DEBIAN_MIRROR": "http://127.0.0.1:9/debian"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
