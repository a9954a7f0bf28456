"""cp, diff, commit, export and import, on running and on stopped containers."""

import io
import json
import os
import tarfile

import pytest

from harness.laboratory import TINY, Lab
from harness.modes import only_root


@pytest.fixture(params=["running", "stopped"])
def container(lab: Lab, request: pytest.FixtureRequest) -> str:
    """A container that has written `/new/file`; its name is its state."""
    name = str(request.param)
    script = "mkdir /new; echo one > /new/file; ln -s /etc/passwd /new/link; rm /data/small; exec "
    lab.start("--name", name, TINY, "sh", "-c", script + ("sleep 1000" if name == "running" else "true"))
    lab.wait_for_status(name, "running" if name == "running" else "exited")
    return name


@pytest.fixture
def files(lab: Lab) -> str:
    """A folder of this person with a file, a folder in it, and a link that leads out."""
    folder = lab.folder("copied")
    lab.write("../copied/file", "mine\n", 0o640)
    os.makedirs(os.path.join(folder, "inner"), exist_ok=True)
    os.chown(os.path.join(folder, "inner"), lab.person.uid, lab.person.gid)
    lab.write("../copied/inner/deep", "deep\n")
    if not os.path.islink(os.path.join(folder, "link")):
        os.symlink("/etc/shadow", os.path.join(folder, "link"))
    return folder


def test_a_file_and_a_folder_are_copied_in_and_out(lab: Lab, container: str, files: str) -> None:
    lab.output("cp", f"{files}/file", f"{container}:/copy")
    lab.output("cp", files, f"{container}:/new")
    lab.output("cp", f"{files}/.", f"{container}:/contents")
    back = lab.folder("back")

    lab.output("cp", f"{container}:/copy", f"{back}/file")
    lab.output("cp", f"{container}:/new/copied", back)
    lab.output("cp", f"{container}:/contents/inner/.", f"{back}/contents")

    with open(f"{back}/file", encoding="utf-8") as file:
        assert file.read() == "mine\n"
    assert os.stat(f"{back}/file").st_mode & 0o777 == 0o640
    assert os.stat(f"{back}/file").st_uid == lab.person.uid
    assert sorted(os.listdir(f"{back}/copied")) == ["file", "inner", "link"]
    assert os.readlink(f"{back}/copied/link") == "/etc/shadow"
    assert os.listdir(f"{back}/contents") == ["deep"]


@only_root
def test_links_in_a_container_lead_nowhere_else(lab: Lab, container: str) -> None:
    back = lab.folder("links")
    lab.output("cp", "-L", f"{container}:/new/link", f"{back}/followed")
    lab.output("cp", f"{container}:/new/link", f"{back}/link")
    with open(f"{back}/followed", encoding="utf-8") as file:
        assert "developer" in file.read()
    assert os.readlink(f"{back}/link") == "/etc/passwd"


@only_root
@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("{c}:/nosuch", ".", "Could not find the file /nosuch in container {c}"),
        ("{c}:/new/file", "nosuch/x", 'invalid output path: directory "nosuch" does not exist'),
        ("{f}/file", "{c}:/nosuch/x", "Could not find the folder /nosuch in container {c}"),
        ("{f}/file", "{c}:/nosuch/", "no such directory: `/nosuch/`"),
        ("{f}", "{c}:/new/file", "cannot copy directory `{f}` onto file `/new/file`"),
        ("{f}/nosuch", "{c}:/x", "lstat {f}/nosuch: no such file or directory"),
    ],
)
def test_a_copy_that_has_no_place_is_refused(
    lab: Lab, container: str, files: str, source: str, target: str, message: str
) -> None:
    names = {"c": container, "f": files}
    done = lab("cp", source.format(**names), target.format(**names))
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == f"labbox: {message.format(**names)}"


def test_archives_go_through_standard_streams(lab: Lab, container: str) -> None:
    done = lab.binary("cp", f"{container}:/new", "-")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        assert sorted(archive.getnames()) == ["new", "new/file", "new/link"]
    lab.binary("cp", "-", f"{container}:/data", input=done.stdout)
    again = lab.binary("cp", f"{container}:/data/new/file", "-")
    with tarfile.open(fileobj=io.BytesIO(again.stdout)) as archive:
        (member,) = archive
        content = archive.extractfile(member)
        assert content is not None
        assert content.read() == b"one\n"


def test_diff_tells_what_was_added_changed_and_deleted(lab: Lab, container: str) -> None:
    changes = [line.split(" ", 1) for line in lab.output("diff", container).splitlines()]
    assert ["A", "/new"] in changes
    assert ["A", "/new/file"] in changes
    assert not any(path.startswith("/etc/") for _, path in changes)
    assert json.loads(lab.output("diff", "--json", container))[0].keys() == {"kind", "path"}


def test_commit_keeps_what_the_container_changed(lab: Lab, container: str) -> None:
    changes = ("-c", 'CMD ["cat", "/new/file"]', "-c", "ENV A=b")
    image = lab.output("commit", "-m", "why", "-a", "me", *changes, container, "kept:1")
    try:
        (document,) = json.loads(lab.output("image", "inspect", "kept:1"))
        assert document["Id"] == image
        assert (document["Author"], document["Comment"]) == ("me", "why")
        assert "A=b" in document["Config"]["Env"]
        assert lab.output("run", "--rm", "kept:1") == "one"
        assert "kept" in lab.output("images", "--format", "{{.Repository}}").split()
    finally:
        lab.output("rmi", "kept:1")
    assert "kept" not in lab.output("images", "--format", "{{.Repository}}").split()


def test_export_and_import_are_each_others_opposite(lab: Lab, container: str) -> None:
    archive = lab.binary("export", container).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert {"new", "new/file"} <= set(tar.getnames())
    image = lab.output("import", "-c", "WORKDIR /new", "-m", "again", "-", "again", input=archive)
    try:
        assert lab.output("run", "--rm", "again", "cat", "file") == "one"
        assert lab.output("inspect", "-f", "{{.Id}} {{.Comment}}", "again") == f"{image} again"
    finally:
        lab.output("rmi", "again")


@only_root
def test_export_to_a_file_is_whole_or_not_there(lab: Lab, container: str) -> None:
    path = os.path.join(lab.folder(), "out.tar")
    lab.output("export", "-o", path, container)
    assert tarfile.is_tarfile(path)
    os.unlink(path)
    done = lab("export", "-o", "/nosuch/x", container)
    assert done.returncode == 1
    assert done.stderr == "labbox: failed to export container: open /nosuch/x: no such file or directory\n"


@only_root
def test_images_are_tagged_listed_and_removed(lab: Lab) -> None:
    lab.output("tag", TINY, "other:2")
    header, *rows = lab.output("images").splitlines()
    assert header.split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert {tuple(row.split()[:2]) for row in rows} == {(TINY, "latest"), ("other", "2")}
    assert len(lab.output("images", "-q").split()) == 1
    assert lab.output("images", "--format", "{{.Tag}}", "other") == "2"
    assert lab.output("images", "-q", "nosuch") == ""
    assert lab.output("images", "-q", "-f", "dangling=true") == ""
    assert lab.output("images", "-f", "reference=oth*", "--format", "{{.Repository}}") == "other"
    assert {row["repository"] for row in json.loads(lab.output("images", "--json"))} == {TINY, "other"}
    by_id = lab("rmi", lab.output("images", "-q"))
    assert by_id.returncode == 1
    assert "image is referenced in multiple repositories" in by_id.stderr
    assert lab.output("rmi", "other:2") == "Untagged: other:2"
    assert lab("rmi", "nosuch").stderr == "labbox: No such image: nosuch:latest\n"
    assert lab("tag", "nosuch", "d").stderr == "labbox: No such image: nosuch:latest\n"
    assert lab("tag", TINY, "D").stderr.startswith('labbox: Error parsing reference: "D" is not a valid repository/tag')


@only_root
def test_an_image_that_a_container_uses_stays(lab: Lab) -> None:
    lab.start("--name", "web", TINY, "sleep", "1000")
    done = lab("rmi", TINY)
    assert done.returncode == 1
    assert "(cannot be forced) - running container" in done.stderr
    assert lab("rmi", "-f", TINY).returncode == 1
    assert lab.output("images", "-q") != ""


@only_root
def test_what_is_no_archive_is_refused_and_leaves_no_image(lab: Lab) -> None:
    before = lab.output("images", "-q", "--no-trunc")
    done = lab("import", "-", "bad", input=b"no archive at all")
    assert done.returncode == 1
    assert done.stderr.startswith("labbox: ")
    assert lab("import", "nosuch").stderr == "labbox: open nosuch: no such file or directory\n"
    assert lab.output("images", "-q", "--no-trunc") == before


def test_the_doctor_and_info_say_in_which_mode_containers_run(lab: Lab) -> None:
    findings = {finding["name"]: finding for finding in json.loads(lab("doctor", "--json").stdout)}
    assert findings["identity"]["text"].startswith(f"{lab.mode}:")
    assert lab.output("info", "--format", "{{.IdentityMode}}") == lab.mode
    assert "whole" in lab.output("doctor", "--store")
    assert lab("doctor").returncode == 0
