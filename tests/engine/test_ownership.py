"""Decision 2: the user inside is you on the host, in every mode."""

import os

import pytest

from harness.laboratory import TINY, Lab
from harness.modes import many_ids, only_root, only_single, only_subuid, rootless


@rootless
@pytest.mark.parametrize("user", ["1000", "1000:1000"])
def test_files_of_developer_in_a_mounted_folder_are_yours(lab: Lab, user: str) -> None:
    if lab.mode == "single" and ":" not in user:
        user = "developer"
    folder = lab.folder()

    lab.shell("touch /mnt/made", "-u", user, "-v", f"{folder}:/mnt")

    status = os.stat(os.path.join(folder, "made"))
    assert (status.st_uid, status.st_gid) == (lab.person.uid, lab.person.gid)


@rootless
def test_your_files_are_developers_inside(lab: Lab) -> None:
    path = lab.write("mine", "text", mode=0o600)

    assert lab.shell("stat -c %u /f; cat /f", "-u", "1000:1000", "-v", f"{path}:/f") == "1000\ntext"


@only_subuid
def test_other_owners_are_subordinate_ids_on_the_host(lab: Lab) -> None:
    folder = lab.folder("roots")
    os.chmod(folder, 0o777)

    lab.shell("touch /mnt/roots", "-v", f"{folder}:/mnt")

    owner = os.stat(os.path.join(folder, "roots")).st_uid
    assert owner not in {0, lab.person.uid}


@only_single
def test_with_one_id_root_inside_is_you_on_the_host(lab: Lab) -> None:
    folder = lab.folder("roots")

    lab.shell("touch /mnt/roots", "-v", f"{folder}:/mnt")

    assert os.stat(os.path.join(folder, "roots")).st_uid == lab.person.uid


@only_root
def test_an_idmapped_mount_makes_roots_files_developers(lab: Lab) -> None:
    folder = lab.folder("mapped")

    shown = lab.shell(
        "stat -c %u /mnt; touch /mnt/made; stat -c %u /mnt/made", "-u", "1000", "--mount",
        f"type=bind,source={folder},target=/mnt,idmapped",
    )  # fmt: skip

    assert shown.split() == ["1000", "1000"]
    assert os.stat(os.path.join(folder, "made")).st_uid == 0


@many_ids
def test_owners_inside_are_kept_by_chown(lab: Lab) -> None:
    assert lab.shell("touch /f; chown 1234:50 /f; stat -c %u:%g /f") == "1234:50"


def test_with_one_id_chown_succeeds_and_is_remembered(lab: Lab) -> None:
    lab("run", "--name", "box", TINY, "sh", "-c", "touch /f && chown 1234:50 /f && echo fine")

    assert lab("logs", "box").stdout == "fine\n"


@many_ids
def test_the_image_keeps_its_owners(lab: Lab) -> None:
    assert lab.shell("stat -c %u:%g:%a /data/inner /data/inner/owned /root /tmp").split() == [
        "1000:1000:750", "1000:1000:640", "0:0:700", "0:0:1777",
    ]  # fmt: skip
