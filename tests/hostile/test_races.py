"""Containers that change their files while labbox works on them."""

import os

from harness.laboratory import TINY, Lab
from harness.waiting import wait_until

SWAP = "while :; do ln -sfn {target} {place}; rm {place}; mkdir {place}; rmdir {place}; done 2>/dev/null"
ROUNDS = 8


def test_a_mount_point_swapped_by_another_container_leads_nowhere(lab: Lab, bait: str) -> None:
    """CVE-2021-30465: two containers share a volume, one mounts into it, the other swaps links."""
    lab.start("--name", "swapper", "-v", "vol:/shared", TINY, "sh", "-c", SWAP.format(target=bait, place="/shared/d"))
    planted = lab.write("planted", "planted")

    for _ in range(ROUNDS):
        done = lab.run("-v", "vol:/shared", "-v", f"{planted}:/shared/d/planted", TINY, "true")
        assert done.returncode in {0, 125}
        assert os.listdir(bait) == ["secret"]


def test_cp_into_a_container_that_swaps_links_writes_nothing_outside(lab: Lab, bait: str) -> None:
    """CVE-2018-15664."""
    lab.start("--name", "swapper", TINY, "sh", "-c", SWAP.format(target=bait, place="/place"))
    planted = lab.write("planted", "planted")

    for _ in range(ROUNDS):
        lab("cp", planted, "swapper:/place/planted")
        assert os.listdir(bait) == ["secret"]


def test_cp_out_of_a_container_that_swaps_links_reads_nothing_outside(lab: Lab, bait: str) -> None:
    lab.start("--name", "swapper", TINY, "sh", "-c", SWAP.format(target=bait, place="/place"))
    target = lab.folder("copied-out")

    for number in range(ROUNDS):
        lab("cp", "swapper:/place/secret", os.path.join(target, f"got{number}"))
    assert os.listdir(target) == []


def test_cp_through_resting_links_stays_inside(lab: Lab, bait: str) -> None:
    script = (
        f"ln -s {bait} /out; ln -s {bait}/secret /leak; ln -s ../../../../../../../..{bait} /up; echo ready; sleep 1000"
    )
    lab.start("--name", "box", TINY, "sh", "-c", script)
    lab.wait_for_output("box", "ready")
    planted, target = lab.write("planted", "planted"), lab.folder("copied")

    for running in (True, False):
        if not running:
            lab.output("stop", "-t", "0", "box")
        for place in ("/out/planted", "/up/planted", "/out/", "/leak"):
            lab("cp", planted, f"box:{place}")
        lab("cp", "-L", "box:/leak", os.path.join(target, "leak"))
        lab("cp", "box:/out/secret", os.path.join(target, "through"))
        lab("cp", "box:/up/secret", os.path.join(target, "upward"))
    copied = [os.path.join(target, name) for name in os.listdir(target)]
    assert not [path for path in copied if os.path.isfile(path) and "host's secret" in _read(path)]


def test_exec_while_the_user_table_is_swapped_reads_only_the_containers(lab: Lab, bait: str) -> None:
    table = os.path.join(lab.folder("tables"), "passwd")
    with open(table, "w", encoding="ascii") as file:
        file.write("developer:x:4242:4242::/:/bin/sh\n")
    script = (
        f"cp /etc/passwd /p; while :; do ln -sfn {table} /etc/passwd; cp /p /etc/new; mv /etc/new /etc/passwd; done"
    )
    lab.start("--name", "swapper", TINY, "sh", "-c", script)

    answers = {lab("exec", "-u", "developer", "swapper", "id", "-u").stdout.strip() for _ in range(ROUNDS)}

    assert answers <= {"1000", ""}


def test_exec_in_a_swapped_working_folder_stays_inside(lab: Lab, bait: str) -> None:
    lab.start("--name", "swapper", TINY, "sh", "-c", SWAP.format(target=bait, place="/place"))

    for _ in range(ROUNDS):
        assert "secret" not in lab("exec", "-w", "/place", "swapper", "ls").stdout


def test_export_and_commit_of_a_container_that_swaps_links_keep_to_its_files(lab: Lab, bait: str) -> None:
    lab.start("--name", "swapper", TINY, "sh", "-c", SWAP.format(target=bait, place="/place"))

    for _ in range(3):
        done = lab.binary("export", "swapper")
        assert b"the host's secret" not in done.stdout
        lab("commit", "swapper", "taken")
    lab("rmi", "-f", "taken")


def test_a_swarm_of_processes_is_ended_whole(lab: Lab) -> None:
    script = "for n in $(seq 40); do (while :; do sleep 0.5; done) & done; echo full; wait"
    lab.start("--name", "swarm", TINY, "sh", "-c", script)
    lab.wait_for_output("swarm", "full")

    lab.output("rm", "-f", "swarm")

    wait_until(lambda: not lab.processes())


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
