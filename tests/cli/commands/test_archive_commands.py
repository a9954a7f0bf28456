"""save, load, history and system df in every mode."""

import json
import os
import tarfile

import pytest

from harness.laboratory import TINY, Lab

FORMATS = ("docker-archive", "oci-archive", "oci-dir")


@pytest.fixture
def image(lab: Lab) -> str:
    """The id of an image `made:1`, also `made:2`, that adds a file of developer's to the tiny image."""
    lab.start(
        "--name", "maker", TINY, "sh", "-c", "echo mine > /data/new; chown 1000:1000 /data/new; rm /data/greeting"
    )
    lab.wait_for_status("maker", "exited")
    image_id = lab.output("commit", "-m", "a step", "maker", "made:1")
    lab.output("rm", "maker")
    lab.output("tag", "made:1", "made:2")
    return image_id


@pytest.fixture(autouse=True)
def no_images_left(lab: Lab) -> object:
    """Every test starts with the tiny image alone."""
    yield
    lab("rm", "-f", *lab.output("ps", "-aq").split())
    others = [name for name in lab.output("images", "--format", "{{.Repository}}:{{.Tag}}").split() if TINY not in name]
    lab("rmi", "-f", *[name for name in others if "<none>" not in name])
    lab("image", "prune", "-f")


def known(lab: Lab, *names: str) -> list[tuple[str, str]]:
    """Ids and digests of images."""
    return [(each["Id"], each["RepoDigests"][0]) for each in json.loads(lab.output("image", "inspect", *names))]


@pytest.mark.parametrize("archive_format", FORMATS)
def test_what_is_saved_loads_back_as_it_was(lab: Lab, image: str, archive_format: str) -> None:
    path = os.path.join(lab.folder(), f"{archive_format}.out")
    show = ("run", "--rm", "made:1", "sh", "-c", "stat -c %u:%g /data/new; cat /data/new; ls /data")
    before, shown = known(lab, "made:1", "made:2"), lab.output(*show)

    assert lab.output("save", "--format", archive_format, "-o", path, "made") == ""
    lab.output("rmi", "made:1", "made:2")
    printed = lab.output("load", "-i", path)

    assert printed == "Loaded image: made:1\nLoaded image: made:2"
    assert known(lab, "made:1", "made:2") == before
    assert before[0][0] == image
    assert lab.output(*show) == shown
    assert shown.split()[1:] == ["mine", "inner", "link", "new"]


def test_archives_go_through_pipes(lab: Lab, image: str) -> None:
    saved = lab.binary("image", "save", image)
    lab.output("rmi", "made:1", "made:2")

    assert lab.output("image", "load", "-q", input=saved.stdout) == f"Loaded image ID: {image}"


def test_load_tells_machines_what_it_has_loaded(lab: Lab, image: str) -> None:
    saved = lab.binary("save", "made:1", TINY).stdout
    first, second = json.loads(lab.output("load", "--json", input=saved))

    assert (first["id"], first["names"], first["displaced"]) == (image, ["made:1"], [])
    assert second["names"] == [f"{TINY}:latest"]


def test_a_save_that_fails_leaves_no_file_and_keeps_an_old_one(lab: Lab) -> None:
    path = lab.write("old.tar", "old")

    failed = lab("save", "-o", path, TINY, "no-such-image")

    assert (failed.returncode, failed.stderr) == (1, "labbox: No such image: no-such-image:latest\n")
    with open(path, encoding="utf-8") as file:
        assert file.read() == "old"
    assert os.listdir(os.path.dirname(path)) == ["old.tar"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("save",), "'labbox save' requires at least 1 argument"),
        (
            ("save", "-o", "/no/such/folder/x", TINY),
            "invalid output path: /no/such/folder/x: no such file or directory",
        ),
        (("save", "-o", "/tmp", TINY), '"/tmp" must be a regular file'),
        (("save", "--format", "zip", TINY), "expected one of docker-archive, oci-archive, oci-dir"),
        (("save", "--format", "oci-dir", TINY), "oci-dir is a folder, which needs a path"),
        (("load", "-i", "/no/such"), "open /no/such: no such file or directory"),
        (("load", "-i", "/etc/passwd"), "tar archive"),
        (("load",), "no archive of images"),
        (("history", "no-such"), "No such image: no-such:latest"),
        (("system", "df", "-v", "--format", "{{.Type}}"), "the verbose and the format options conflict"),
    ],
)
def test_mistakes_are_told(lab: Lab, words: tuple[str, ...], message: str) -> None:
    failed = lab(*words)

    assert failed.returncode != 0
    assert message in failed.stderr


def test_history_has_dockers_columns(lab: Lab, image: str) -> None:
    header, newest, oldest = lab.output("history", "made:1").splitlines()
    long = lab.output("history", "--no-trunc", "--human=false", "made:1").splitlines()

    assert header.split() == ["IMAGE", "CREATED", "CREATED", "BY", "SIZE", "COMMENT"]
    assert newest.startswith(image.removeprefix("sha256:")[:12])
    assert "sh -c echo mine > /data/new; chown 1000:1000…" in newest
    assert newest.endswith("a step")
    assert oldest.startswith("<missing>")
    assert long[0].split()[:3] == ["IMAGE", "CREATED", "AT"]
    assert long[1].startswith(image)
    assert lab.output("image", "history", "-q", "made:1").split() == [image[7:19], "<missing>"]
    assert lab.output("history", "--format", "{{.ID}} {{.Comment}}", "made:1").splitlines()[0].endswith("a step")
    assert json.loads(lab.output("history", "--json", "made:1"))[0]["id"] == image


def test_images_tell_what_they_share_and_what_they_have_alone(lab: Lab, image: str) -> None:
    images = {each["tag"]: each for each in json.loads(lab.output("images", "--json"))}
    steps = json.loads(lab.output("history", "--json", "made:1"))

    assert images["1"] == {**images["2"], "tag": "1"}
    assert images["1"]["unique_bytes"] == steps[0]["size_bytes"]
    assert images["1"]["shared_bytes"] == images["latest"]["size_bytes"] == steps[1]["size_bytes"]
    assert images["latest"]["unique_bytes"] == 0
    assert images["1"]["size_bytes"] == sum(step["size_bytes"] for step in steps)
    assert "0B" in lab.output("images", "--format", "{{.UniqueSize}}", TINY)


def test_disk_usage_counts_what_is_shared_once(lab: Lab, image: str) -> None:
    lab.start("--name", "used", "-v", "kept:/kept", "made:1", "sh", "-c", "printf 12345 > /kept/file; printf 123 > /x")
    lab.wait_for_status("used", "exited")
    usage = json.loads(lab.output("system", "df", "--json"))
    totals = usage["totals"]

    assert (totals["images"]["total"], totals["images"]["active"]) == (2, 1)
    assert totals["images"]["reclaimable_bytes"] == 0
    assert totals["images"]["size_bytes"] == max(each["size_bytes"] for each in usage["images"])
    assert totals["containers"] == {"total": 1, "active": 0, "size_bytes": 3, "reclaimable_bytes": 3}
    assert totals["local_volumes"] == {"total": 1, "active": 1, "size_bytes": 5, "reclaimable_bytes": 0}
    lines = lab.output("system", "df").splitlines()
    assert lines[0] == "TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE"
    assert lines[2] == "Containers      1         0         3B        3B (100%)"
    assert lab.output("system", "df", "--format", "{{.Type}}").splitlines()[2] == "Local Volumes"


def test_disk_usage_in_detail_has_dockers_tables(lab: Lab, image: str) -> None:
    text = lab.output("system", "df", "-v")

    assert "REPOSITORY   TAG       IMAGE ID       CREATED" in text
    assert "SHARED SIZE   UNIQUE SIZE   CONTAINERS" in text
    assert "CONTAINER ID   IMAGE     COMMAND   LOCAL VOLUMES   SIZE      CREATED   STATUS    NAMES" in text
    assert "VOLUME NAME   LINKS     SIZE" in text
    document = json.loads(lab.output("system", "df", "-v", "--format", "json"))
    assert list(document) == ["Images", "Containers", "Volumes", "BuildCache"]
    assert {each["Repository"] for each in document["Images"]} == {"made", TINY}


def test_an_archive_is_one_of_docker_and_a_layout_at_once(lab: Lab) -> None:
    path = os.path.join(lab.folder(), "both.tar")
    lab.output("save", "-o", path, TINY)

    with tarfile.open(path) as archive:
        names = archive.getnames()
        assert {entry.mtime for entry in archive.getmembers()} == {0}
    assert {"oci-layout", "index.json", "manifest.json"} <= set(names)
    assert all(name.startswith("blobs/sha256/") for name in names[3:])
