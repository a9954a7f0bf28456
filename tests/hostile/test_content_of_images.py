"""Images whose content takes aim at what labbox does while a container starts."""

import os
import subprocess
import tarfile

from harness.hostile_images import Entry, import_hostile, symlink
from harness.laboratory import HOST_PROGRAMS, TINY, Lab
from harness.modes import many_ids, only_root, only_single

GARBAGE_OWNER = """
import os
open('/f', 'w').close()
for value in (b'garbage', b'-1:-1', b'9' * 99 + b':0', b'1'):
    os.setxattr('/f', 'user.labbox.owner', value)
    os.chown('/f', 5, 6)
print(os.getxattr('/f', 'user.labbox.owner').decode())
"""


@only_root
def test_a_device_node_of_an_image_cannot_be_opened_in_a_read_only_root(lab: Lab) -> None:
    """A read-only remount that forgets nodev opens every disk of the host."""
    image = import_hostile(lab, [Entry("zero", tarfile.CHRTYPE, mode=0o666, device=(1, 5))])
    for flags in ((), ("--read-only",)):
        done = lab.run(*flags, image, "head", "-c", "1", "/zero")
        assert "Permission denied" in done.stderr


def test_a_new_volume_receives_nothing_through_a_link_to_proc(lab: Lab) -> None:
    image = import_hostile(lab, [symlink("data", "/proc")])
    lab("run", "--rm", "-v", "vol:/data", image, "true")
    assert lab.output("run", "--rm", "-v", "vol:/vol", TINY, "ls", "-A", "/vol") == ""


@only_single
def test_an_owner_that_makes_no_sense_does_not_stop_the_container(lab: Lab) -> None:
    done = lab.run(*HOST_PROGRAMS, TINY, "/usr/bin/python3", "-c", GARBAGE_OWNER)
    assert (done.returncode, done.stdout) == (0, "5:6\n"), done.stderr


@many_ids
def test_files_of_etc_belong_to_root_and_everybody_can_read_them(lab: Lab) -> None:
    command = ["sh", "-c", 'umask 077; exec "$@"', "sh", *lab.command("run", "--rm", "-w", "/new", TINY)]
    done = _run(lab, [*command, "stat", "-c", "%u:%g %a", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/new"])
    assert done.splitlines() == ["0:0 644", "0:0 644", "0:0 644", "0:0 755"]


def _run(lab: Lab, command: list[str]) -> str:
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command, check=True, capture_output=True, text=True, **lab.options({})
    )
    return done.stdout


def test_two_containers_that_start_at_once_may_share_a_new_volume(lab: Lab) -> None:
    folder = [Entry(f"data/d{number}", tarfile.DIRTYPE) for number in range(300)]
    image = import_hostile(lab, folder)
    runs = [lab.spawn("run", "--rm", "-v", "vol:/data", image, "sh", "-c", "ls -d /data/d* | wc -l") for _ in range(2)]
    for run in runs:
        output, errors = run.communicate(timeout=30)
        assert (run.returncode, int(output)) == (0, 300), errors
    assert os.path.isdir(os.path.join(lab.home, "data/volumes/vol"))
