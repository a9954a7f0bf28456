"""-v, --mount, --tmpfs, --read-only: what is mounted where, and how."""

import os

import pytest

from harness.laboratory import TINY, Lab
from harness.modes import many_ids


def test_a_folder_of_the_host_is_mounted_and_written_through(lab: Lab) -> None:
    folder = lab.folder()

    lab.shell("echo made > /mnt/inside", "-v", f"{folder}:/mnt")

    with open(os.path.join(folder, "inside"), encoding="ascii") as file:
        assert file.read() == "made\n"


def test_a_read_only_mount_refuses_writing(lab: Lab) -> None:
    done = lab.run("-v", f"{lab.folder()}:/mnt:ro", TINY, "touch", "/mnt/inside")

    assert done.returncode == 1
    assert "Read-only file system" in done.stderr


def test_a_file_is_mounted_alone(lab: Lab) -> None:
    path = lab.write("one file", "content\n")

    assert lab.shell("cat /etc/mine; ls /etc | wc -l >/dev/null", "-v", f"{path}:/etc/mine") == "content"


def test_a_missing_source_is_an_error_and_is_not_made(lab: Lab) -> None:
    missing = os.path.join(lab.folder(), "typo")

    done = lab.run("-v", f"{missing}:/x", TINY, "true")

    assert done.returncode == 125
    assert missing in done.stderr
    assert not os.path.exists(missing)


def test_a_named_volume_outlives_containers(lab: Lab) -> None:
    lab.shell("echo kept > /v/file", "-v", "vol:/v")

    assert lab.shell("cat /v/file", "-v", "vol:/v") == "kept"


def test_an_empty_volume_receives_what_the_image_has_there(lab: Lab) -> None:
    listing = lab.shell("cat /data/greeting /data/inner/owned; readlink /data/link", "-v", "vol:/data")

    assert listing.split("\n") == ["hello", "developer's", "greeting"]


@many_ids
def test_owners_and_modes_survive_the_copy_into_a_volume(lab: Lab) -> None:
    shown = lab.shell("stat -c '%a %u:%g' /data /data/inner /data/inner/owned", "-v", "vol:/data")

    assert shown.split("\n") == ["755 0:0", "750 1000:1000", "640 1000:1000"]


def test_nothing_is_copied_into_a_volume_that_has_content(lab: Lab) -> None:
    lab.shell("echo mine > /v/mine", "-v", "vol:/v")

    assert lab.shell("ls /data", "-v", "vol:/data") == "mine"


def test_nocopy_leaves_a_volume_empty(lab: Lab) -> None:
    assert lab.shell("ls /data", "-v", "vol:/data:nocopy") == ""


def test_an_anonymous_volume_is_made_for_the_container(lab: Lab) -> None:
    lab("run", "--name", "box", "-v", "/scratch", TINY, "touch", "/scratch/file")

    (volume,) = os.listdir(os.path.join(lab.home, "data/volumes"))
    assert len(volume) == 64
    lab.output("rm", "-v", "box")
    assert os.listdir(os.path.join(lab.home, "data/volumes")) == []


def test_volumes_of_another_container_are_shared(lab: Lab) -> None:
    lab("run", "--name", "source", "-v", "/shared", TINY, "touch", "/shared/file")

    assert lab.shell("ls /shared", "--volumes-from", "source") == "file"


def test_tmpfs_is_empty_limited_and_gone_afterwards(lab: Lab) -> None:
    line = lab.shell("grep ' /scratch ' /proc/self/mountinfo", "--tmpfs", "/scratch:size=1m,mode=700")

    assert "tmpfs" in line
    for option in ("size=1024k", "mode=700", "nosuid", "nodev", "noexec"):
        assert option in line


@pytest.mark.parametrize(
    "flag",
    [
        "type=bind,source={folder},target=/m",
        "type=bind,src={folder},dst=/m,readonly",
        "type=volume,source=named,target=/m",
        "type=tmpfs,destination=/m",
    ],
)
def test_mount_spells_what_v_does(lab: Lab, flag: str) -> None:
    assert (
        lab.shell("grep -q ' /m ' /proc/self/mountinfo && echo yes", "--mount", flag.format(folder=lab.folder()))
        == "yes"
    )


def test_a_read_only_root_is_read_only_but_for_what_is_mounted(lab: Lab) -> None:
    script = "touch /x 2>&1; touch /v/x /dev/shm/x && echo fine; echo 1 > /dev/null && echo null"

    shown = lab.shell(script, "--read-only", "-v", "vol:/v")

    assert shown.split("\n") == ["touch: /x: Read-only file system", "fine", "null"]


def test_mount_points_that_the_image_lacks_are_made(lab: Lab) -> None:
    path = lab.write("file", "text")

    shown = lab.shell("ls -d /a/b/c; cat /d/e/f", "-v", f"{lab.folder()}:/a/b/c", "-v", f"{path}:/d/e/f")

    assert shown == "/a/b/c\ntext"


def test_mounts_inside_mounts_are_in_the_right_order(lab: Lab) -> None:
    outer, inner = lab.folder("outer"), lab.folder("inner")
    with open(os.path.join(inner, "here"), "w", encoding="ascii"):
        pass

    assert lab.shell("ls /m/sub", "-v", f"{inner}:/m/sub", "-v", f"{outer}:/m") == "here"


def test_one_target_is_mounted_once(lab: Lab) -> None:
    done = lab.run("-v", "aa:/m", "-v", "bb:/m", TINY, "true")

    assert done.returncode == 125
    assert "Duplicate mount point: /m" in done.stderr


def test_shm_has_the_size_that_is_asked_for(lab: Lab) -> None:
    assert lab.shell("df -k /dev/shm | tail -1 | awk '{print $2}'", "--shm-size", "2m") == "2048"


def test_no_mount_of_the_container_appears_on_the_host(lab: Lab) -> None:
    lab.start("--name", "box", "-v", "vol:/v", "-v", f"{lab.folder()}:/w", TINY, "sleep", "1000")

    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        assert lab.home not in file.read()


def test_names_with_spaces_commas_and_colons_can_be_mounted(lab: Lab) -> None:
    folder = lab.folder("with space, comma")

    assert lab.shell("touch '/in side/x' && echo ok", "-v", f"{folder}:/in side") == "ok"
    assert os.listdir(folder) == ["x"]
