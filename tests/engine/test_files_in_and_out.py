"""cp, diff, commit, export and import: what goes in comes out, with owners, modes, links and removals."""

import io
import os
import tarfile

import pytest

from harness.laboratory import TINY, Lab

CHANGE = """
echo new > /new; echo more >> /data/greeting; rm /etc/group; rm -r /data/inner; mkdir /data/inner; touch /data/inner/x
mkdir -p /deep/er; chown 1000:1000 /deep/er; ln -s /new /deep/link; ln /new /deep/hard; chmod 4711 /deep/hard
mkfifo /deep/fifo
"""
LOOK = """
cat /new /data/greeting; ls /etc/group 2>&1; ls -A /data/inner; readlink /deep/link
stat -c '%a %h %u:%g' /deep/hard; stat -c '%F' /deep/fifo; stat -c '%u:%g' /deep/er
"""
MISSING = "ls: /etc/group: No such file or directory"


def seen(lab: Lab) -> list[str]:
    """What LOOK prints after CHANGE; with one id an owner is remembered, but every file looks like root's."""
    owner = "0:0" if lab.mode == "single" else "1000:1000"
    return ["new", "hello", "more", MISSING, "x", "/new", "4711 2 0:0", "fifo", owner]


@pytest.fixture
def changed(lab: Lab) -> str:
    """A stopped container whose files differ from its image's in every way."""
    done = lab("run", "--name", "changed", TINY, "sh", "-c", CHANGE)
    assert done.returncode == 0, done.stderr
    return "changed"


def test_commit_keeps_every_change(lab: Lab, changed: str) -> None:
    lab.output("commit", changed, "committed")

    assert lab.output("run", "--rm", "committed", "sh", "-c", LOOK).split("\n") == seen(lab)
    lab.output("rmi", "committed")


def test_commit_of_a_running_container_does_not_stop_it(lab: Lab) -> None:
    lab.start("--name", "box", TINY, "sh", "-c", "echo here > /file; echo ready; sleep 1000")
    lab.wait_for_output("box", "ready")

    lab.output("commit", "-m", "a message", "-a", "me", "-c", 'CMD ["cat", "/file"]', "box", "committed")

    assert lab.status("box") == "running"
    assert lab.output("run", "--rm", "committed") == "here"
    lab.output("rmi", "committed")


def test_export_and_import_keep_every_file(lab: Lab, changed: str) -> None:
    archive = lab.binary("export", changed).stdout

    lab.output("import", "-", "imported", input=archive)

    assert lab.output("run", "--rm", "imported", "sh", "-c", LOOK).split("\n") == seen(lab)
    lab.output("rmi", "imported")


def test_the_export_is_the_same_in_every_mode(lab: Lab, changed: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Owners, modes and kinds of files do not tell which mode has written them."""
    with tarfile.open(fileobj=io.BytesIO(lab.binary("export", changed).stdout)) as archive:
        listing = [
            (member.name, member.type, oct(member.mode), member.uid, member.gid, member.linkname)
            for member in archive
            if not member.name.strip("./").startswith(("dev", "proc", "sys", "etc/"))
        ]
    mine = repr(sorted(listing))

    first = tmp_path_factory.getbasetemp() / "export-listing"
    if not first.exists():
        first.write_text(mine)
    assert mine == first.read_text()


def test_diff_tells_what_was_added_changed_and_removed(lab: Lab, changed: str) -> None:
    lines = set(lab.output("diff", changed).splitlines())

    assert {"A /new", "C /data", "C /data/greeting", "D /etc/group", "A /deep", "A /deep/link"} <= lines
    assert not {line for line in lines if "/dev" in line or "/proc" in line}


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_cp_carries_files_both_ways(lab: Lab, running: bool) -> None:  # noqa: FBT001  (a parameter of the test)
    lab.start("--name", "box", TINY, "sleep", "1000")
    if not running:
        lab.output("stop", "-t", "0", "box")
    source = os.path.join(lab.folder("source"), "tree")
    os.makedirs(os.path.join(source, "inner"), exist_ok=True)
    for name, text in (("one", "first"), ("inner/two", "second")):
        with open(os.path.join(source, name), "w", encoding="ascii") as file:
            file.write(text)
    os.chmod(os.path.join(source, "one"), 0o640)
    os.chown(os.path.join(source, "one"), lab.person.uid, lab.person.gid)
    target = lab.folder("target")

    lab.output("cp", source, "box:/tmp/copied")
    lab.output("cp", "box:/tmp/copied", os.path.join(target, f"back-{running}"))

    back = os.path.join(target, f"back-{running}")
    with open(os.path.join(back, "inner/two"), encoding="ascii") as file:
        assert file.read() == "second"
    status = os.stat(os.path.join(back, "one"))
    assert (status.st_mode & 0o777, status.st_uid) == (0o640, lab.person.uid)


def test_cp_of_a_missing_path_fails_and_names_it(lab: Lab, changed: str) -> None:
    done = lab("cp", f"{changed}:/no/such", lab.folder("target"))

    assert done.returncode == 1
    assert "/no/such" in done.stderr


def test_a_committed_image_of_a_committed_image_stacks(lab: Lab) -> None:
    lab("run", "--name", "first", TINY, "touch", "/one")
    lab.output("commit", "first", "stacked:1")
    lab("run", "--name", "second", "stacked:1", "sh", "-c", "rm /one; touch /two")
    lab.output("commit", "second", "stacked:2")

    assert lab.output("run", "--rm", "stacked:2", "sh", "-c", "ls /one /two 2>/dev/null; true") == "/two"
    lab.output("rm", "first", "second")
    lab.output("rmi", "stacked:2", "stacked:1")
