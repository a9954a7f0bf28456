"""A disk without room: a clear message, and a store that is whole when there is room again."""

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from harness.laboratory import TINY, Lab
from harness.waiting import wait_until
from harness.workplace import Workplace

SIZE = 24 << 20


@pytest.fixture
def small(lab: Lab, workplace: Workplace) -> Iterator[Lab]:
    """A laboratory whose home is a small file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    image, home = os.path.join(workplace.folder, "disk"), os.path.join(workplace.folder, "small")
    with open(image, "wb") as file:
        file.truncate(SIZE)
    os.mkdir(home)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True, capture_output=True)
    mounted = subprocess.run(["mount", "-o", "loop", image, home], check=False, capture_output=True)
    if mounted.returncode != 0:  # no loop devices here: memory is limited too
        options = f"size={SIZE},mode=755"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", home], check=True, capture_output=True)
    try:
        shutil.rmtree(os.path.join(home, "lost+found"), ignore_errors=True)
        os.chown(home, lab.person.uid, lab.person.gid)
        made = Lab(lab.installation, lab.person, home, lab.mode)
        made.output("import", made.archive, TINY)
        yield made
        _make_room(made)
        made.clear()
    finally:
        subprocess.run(["umount", home], check=True)
        os.rmdir(home)
        os.unlink(image)


def test_an_import_says_that_the_disk_is_full(small: Lab) -> None:
    _fill(small, leave=1 << 20)

    done = small("import", small.archive, "more", "-m", "different")
    archive = small("import", "-", "other", input=os.urandom(3 << 20))

    for answer in (done, archive):
        if answer.returncode != 0:
            assert "internal error" not in answer.stderr
    assert archive.returncode != 0
    _make_room(small)
    small.output("doctor", "--store")
    assert small.run(TINY, "true").returncode == 0


def test_a_container_that_cannot_be_made_leaves_nothing(small: Lab) -> None:
    _fill(small, leave=0)

    done = small("run", "--name", "box", TINY, "true")

    assert done.returncode == 125
    assert "No space left on device" in done.stderr
    _make_room(small)
    assert small.output("ps", "-aq") == ""
    assert small.run(TINY, "true").returncode == 0


def test_a_container_that_fills_the_disk_is_told_and_ends_with_its_own_code(small: Lab) -> None:
    done = small("run", "--name", "box", TINY, "sh", "-c", "cat /dev/zero > /big; exit 7", timeout=50)

    assert done.returncode == 7
    assert "No space left on device" in done.stderr
    _remove_in_upper(small)
    wait_until(lambda: small.status("box") == "exited")
    assert small.output("rm", "box") == "box"


def test_a_full_disk_does_not_stop_a_running_container(small: Lab) -> None:
    small.start("--name", "box", TINY, "sh", "-c", "while :; do echo tick; sleep 0.05; done")
    _fill(small, leave=0)

    assert small("exec", "box", "echo", "alive").stdout == "alive\n"
    assert small("stop", "-t", "1", "box").returncode == 0

    _make_room(small)
    assert small.status("box") == "exited"


def test_rm_works_on_a_full_disk(small: Lab) -> None:
    small("run", "--name", "box", TINY, "touch", "/file")
    _fill(small, leave=0)

    assert small.output("rm", "box") == "box"


def _fill(lab: Lab, *, leave: int) -> None:
    """Fill the laboratory's file system but for `leave` bytes."""
    path = os.path.join(lab.home, "filler")
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * (1 << 16))
        except OSError:
            pass
        try:
            while True:
                file.write(b"\0")
        except OSError:
            pass
        if leave:
            file.truncate(max(0, file.tell() - leave))
        os.fsync(file.fileno())


def _make_room(lab: Lab) -> None:
    path = os.path.join(lab.home, "filler")
    if os.path.exists(path):
        os.unlink(path)


def _remove_in_upper(lab: Lab) -> None:
    os.unlink(os.path.join(lab.home, "data/containers/names/box/layer/upper/big"))
