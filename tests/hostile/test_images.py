"""Images whose own files try to lead labbox out of them."""

import os
import tarfile

import pytest

from harness.hostile_images import Entry, hardlink, import_hostile, symlink, write_bare_archive
from harness.laboratory import TINY, Lab
from harness.modes import many_ids
from harness.waiting import wait_until

PLACES = (
    "dev",
    "proc",
    "sys",
    "etc",
    "etc/resolv.conf",
    "etc/hosts",
    "etc/hostname",
    "tmp",
    "dev/null",
    "dev/pts",
    "dev/shm",
)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["absolute", "upward"])
def test_a_link_in_place_of_a_system_folder_leads_nowhere(lab: Lab, bait: str, place: str, kind: str) -> None:
    target = bait if kind == "absolute" else "../" * 12 + bait.removeprefix("/")
    name = os.path.basename(place) if "." in place else ""
    image = import_hostile(lab, [symlink(place, os.path.join(target, name) if name else target)])

    done = lab.run("-v", "/fresh", "--tmpfs", f"/{place.partition('.')[0]}/inner", image, "true")

    assert done.returncode in {0, 125, 126, 127}
    assert "Traceback" not in done.stderr
    assert "fault in labbox" not in done.stderr


def test_a_link_to_proc_self_leads_nowhere(lab: Lab, bait: str) -> None:
    image = import_hostile(lab, [symlink("etc/hosts", "/proc/self/fd/0"), symlink("data/exit", "/proc/1/root")])

    done = lab.run("-w", "/data/exit/tmp", "-v", "/data/exit/planted", image, "pwd")

    assert done.returncode != 0 or done.stdout.startswith("/")


@pytest.mark.parametrize("number", [3, 5, 7, 8])
def test_a_working_folder_that_is_a_descriptor_is_refused(lab: Lab, number: int) -> None:
    """CVE-2024-21626."""
    done = lab.run("-w", f"/proc/self/fd/{number}", TINY, "ls", "../../..")

    assert done.returncode in {125, 126, 127}, done.stdout


def test_exec_in_a_working_folder_that_is_a_descriptor_is_refused(lab: Lab) -> None:
    lab.start("--name", "box", TINY, "sleep", "1000")

    for number in range(3, 10):
        done = lab("exec", "-w", f"/proc/self/fd/{number}", "box", "ls", "../../..")
        assert done.returncode in {125, 126, 127}, done.stdout


def test_an_entry_that_replaces_the_root_itself_is_refused_or_harmless(lab: Lab, bait: str) -> None:
    """CVE-2021-29136: the first entry makes a link of `.`."""
    for number, name in enumerate([".", "./", "/", ""]):
        path = f"{lab.folder('archives')}/root{number}.tar"
        write_bare_archive(path, [symlink(name, bait), Entry("planted", content=b"x")])
        done = lab("import", path, "hostile")
        assert done.returncode in {0, 1}
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "entries",
    [
        [Entry("../../../../../../../../../../{bait}/planted")],
        [Entry("/{bait}/planted")],
        [symlink("out", "/{bait}"), Entry("out/planted")],
        [symlink("out", "../../../../../../../../../..{bait}"), Entry("out/planted")],
        [hardlink("leak", "{bait}/secret")],
        [hardlink("leak", "../../../../../../../../../..{bait}/secret")],
        [symlink("out", "{bait}"), hardlink("leak", "out/secret"), Entry("leak", content=b"overwritten")],
        [symlink("out", "{bait}"), Entry("out/.wh.secret")],
        [symlink("out", "{bait}"), Entry("out/.wh..wh..opq")],
        [Entry(".wh...")],
        [Entry(".wh..")],
        [Entry(".wh."), Entry("a/.wh../.wh.secret")],
        [symlink("a", "{bait}"), symlink("a", "b"), Entry("a/planted")],
        [Entry("d", tarfile.DIRTYPE), symlink("d", "{bait}"), Entry("d/planted")],
        [symlink("x" * 250 + "/" + "y" * 250, "{bait}"), Entry("deep/" * 700 + "planted")],
        [Entry("fifo", tarfile.FIFOTYPE), Entry("fifo", content=b"does not hang")],
        [symlink("loop", "loop"), Entry("loop/planted")],
        [Entry("disk", tarfile.BLKTYPE, device=(8, 0)), Entry("disk", content=b"overwritten")],
    ],
    ids=range(18),
)
def test_a_hostile_archive_writes_nothing_outside(lab: Lab, bait: str, entries: list[Entry]) -> None:
    changed = [
        e._replace(name=e.name.replace("{bait}", bait.strip("/")), link=e.link.replace("{bait}", bait)) for e in entries
    ]
    path = f"{lab.folder('archives')}/hostile.tar"
    write_bare_archive(path, changed)

    done = lab("import", path, "hostile")

    assert done.returncode in {0, 1}
    assert "internal error" not in done.stderr, done.stderr
    if done.returncode == 0:
        lab("rmi", "-f", "hostile")


@many_ids
@pytest.mark.parametrize("place", ["", "dev/", "v/", "w/"])
def test_a_device_made_in_the_container_cannot_be_opened(lab: Lab, place: str) -> None:
    """Docker stops this with its device cgroup; without one every mount must refuse devices."""
    script = (
        f"mknod /{place}kmsg c 1 11; mknod /{place}disk b $(cat /proc/partitions | awk 'NR==3 {{print $1, $2}}');"
        f"head -c 1 /{place}kmsg >/dev/null && echo OPENED; head -c 1 /{place}disk >/dev/null && echo OPENED; true"
    )

    assert "OPENED" not in lab.shell(script, "-v", "vol:/v", "-v", f"{lab.folder('devices')}:/w")


def test_a_device_in_an_image_cannot_be_opened(lab: Lab) -> None:
    image = import_hostile(lab, [Entry("kmsg", tarfile.CHRTYPE, device=(1, 11), mode=0o666)])

    assert lab.run(image, "head", "-c", "1", "/kmsg").stdout == ""  # without root an empty file stands in its place


def test_a_setuid_file_of_an_image_is_out_of_reach_for_others(lab: Lab) -> None:
    import_hostile(lab, [Entry("bin/become", content=b"#!/bin/sh\n", mode=0o6755)])

    parts = ("data", "data/store", "data/store/layers", f"data/store/layers/{lab.mode}")
    assert any(os.stat(os.path.join(lab.home, part)).st_mode & 0o011 == 0 for part in parts)


@pytest.mark.parametrize(
    "passwd",
    [
        Entry("etc/passwd", tarfile.FIFOTYPE),
        Entry("etc/passwd", tarfile.DIRTYPE),
        symlink("etc/passwd", "/proc/self/environ"),
        symlink("etc/passwd", "/dev/zero"),
        symlink("etc/passwd", "passwd"),
        Entry("etc/passwd", content=b"\xff\xfe\x00:::\n" * 1000),
        Entry("etc/passwd", content=b"root:x:99999999999999999999:0::/:/bin/sh\nroot:x:0:0::/:\n"),
        Entry("etc/passwd", content=b"root:x:-1:-1::/:/bin/sh\n"),
        Entry("etc/group", content=b"root:x:" + b"9" * 5000 + b":root\n"),
    ],
    ids=["fifo", "folder", "environ", "endless", "loop", "bytes", "overflow", "negative", "group"],
)  # fmt: skip
@pytest.mark.timeout(60)
def test_a_hostile_user_table_neither_hangs_nor_breaks(lab: Lab, passwd: Entry) -> None:
    image = import_hostile(lab, [passwd])

    done = lab.run("-u", "root", image, "true", timeout=30)

    assert done.returncode in {0, 125}
    assert "fault in labbox" not in done.stderr
    wait_until(lambda: not lab.processes())
