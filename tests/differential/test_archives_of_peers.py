"""Images to and from a Docker Engine, skopeo and podman: the same image id on both sides, whichever way they go.

labbox runs as root here: archives do not depend on the mode.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

import pytest

from harness.dockerd import Docker
from harness.laboratory import TINY, Lab
from harness.modes import only_root

SCRIPT = "mkdir -p /data/deep; echo new > /data/deep/new; chown 1234:1235 /data/deep/new; ln /data/deep/new /hard; "
SCRIPT += "chmod 4750 /hard; rm -r /data/inner; ln -s /data /link"
SHOW = "find / -xdev -path /proc -prune -o -path /sys -prune -o -path /dev -prune -o -print | sort | "
SHOW += "grep -v -e /etc/host -e /etc/resolv -e /etc/mtab -e /.dockerenv -e '^/$' -e /run | "
SHOW += "xargs stat -c '%n %A %u:%g %s %h'"
CHANGES = ("--change", "ENV A='one two'", "--change", 'CMD ["sh","-c","cat /data/deep/new"]', "--change", "LABEL x=y")

pytestmark = only_root


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


@pytest.fixture(autouse=True)
def only_the_tiny_image(lab: Lab, docker: Docker) -> Iterator[None]:
    """Both start with the tiny image alone."""
    yield
    for run in (lab, docker):
        names = run("ps", "-aq").stdout.split()
        if names:
            run("rm", "-f", *names)
        found = run("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
        for name in found:
            if TINY not in name and "<none>" not in name:
                run("rmi", "-f", name)
        run("image", "prune", "-f")


@pytest.fixture
def mine(lab: Lab) -> str:
    """The id of an image of labbox, `peer/it:1` and `peer/it:2`."""
    lab.output("run", "--name", "maker", TINY, "sh", "-c", SCRIPT)
    image_id = lab.output("commit", "-m", "by labbox", *CHANGES, "maker", "peer/it:1")
    lab.output("rm", "maker")
    lab.output("tag", "peer/it:1", "peer/it:2")
    return image_id


@pytest.fixture
def dockers(docker: Docker) -> str:
    """The id of an image of docker, `peer/it:1` and `peer/it:2`."""
    assert docker("run", "--network", "none", "--name", "maker", TINY, "sh", "-c", SCRIPT).returncode == 0
    image_id = docker("commit", "-m", "by docker", *CHANGES, "maker", "peer/it:1").stdout.strip()
    docker("rm", "maker")
    docker("tag", "peer/it:1", "peer/it:2")
    return image_id


def tree(run: Lab | Docker) -> str:
    done = run("run", "--rm", "--network", "none", "peer/it:1", "sh", "-c", SHOW)
    assert done.returncode == 0, done.stderr
    # size and links of a folder are the file system's own
    lines = (line.split() for line in done.stdout.splitlines())
    return "\n".join(" ".join(words[:3] if words[1].startswith("d") else words) for words in lines)


def said(run: Lab | Docker) -> list[str]:
    """What history says of each step; a step's size is that of its files with docker, of its archive with labbox."""
    done = run("history", "--no-trunc", "--format", "{{.CreatedBy}}|{{.Comment}}|{{.CreatedAt}}", "peer/it:1")
    return done.stdout.splitlines()


def runtime(run: Lab | Docker) -> dict[str, object]:
    document = json.loads(run("image", "inspect", "peer/it:1").stdout)[0]
    config = document["Config"]
    kept = {key: config.get(key) or None for key in ("Env", "Cmd", "Entrypoint", "Labels", "User", "WorkingDir")}
    return {**kept, **{key: document[key] for key in ("Id", "RepoTags", "RootFS", "Created", "Architecture", "Os")}}


def test_docker_loads_what_labbox_saved(lab: Lab, docker: Docker, mine: str) -> None:
    archive = os.path.join(lab.folder(), "mine.tar")
    lab.output("save", "-o", archive, "peer/it")

    loaded = docker("load", "-i", archive)

    assert loaded.stdout.splitlines() == ["Loaded image: peer/it:1", "Loaded image: peer/it:2"], loaded.stderr
    assert docker("images", "-q", "--no-trunc", "peer/it:2").stdout.strip() == mine
    assert runtime(docker) == runtime(lab)
    assert said(docker) == said(lab)
    assert tree(docker) == tree(lab)
    assert docker("run", "--rm", "--network", "none", "peer/it:1").stdout == "new\n"


def test_labbox_loads_what_docker_saved_and_gives_it_back(lab: Lab, docker: Docker, dockers: str) -> None:
    archive, back = (os.path.join(lab.folder(), name) for name in ("dockers.tar", "back.tar"))
    assert docker("save", "-o", archive, "peer/it:1", "peer/it:2").returncode == 0

    loaded = lab.output("load", "-i", archive)

    assert loaded.splitlines() == docker("load", "-i", archive).stdout.splitlines()
    assert lab.output("images", "-q", "--no-trunc", "peer/it:2") == dockers
    assert runtime(lab) == runtime(docker)
    assert said(lab) == said(docker)
    assert tree(lab) == tree(docker)
    lab.output("save", "-o", back, "peer/it:1")
    docker("rmi", "-f", "peer/it:1", "peer/it:2")
    assert docker("load", "-q", "-i", back).stdout == "Loaded image: peer/it:1\n"
    assert docker("images", "-q", "--no-trunc", "peer/it:1").stdout.strip() == dockers


def test_names_that_move_and_images_without_names_are_told_alike(lab: Lab, docker: Docker, dockers: str) -> None:
    by_name, by_id = (os.path.join(lab.folder(), name) for name in ("name.tar", "id.tar"))
    docker("save", "-o", by_name, "peer/it:1")
    docker("save", "-o", by_id, dockers)
    lab.output("load", "-i", by_name)
    answers = []
    for run in (lab, docker):
        run("tag", TINY, "peer/it:1")
        old = run("images", "-q", "--no-trunc", TINY).stdout.strip()
        first = run("load", "-i", by_name).stdout.replace(old, "OLD")
        run("rmi", "-f", "peer/it:1", "peer/it:2")
        run("image", "prune", "-f")
        answers.append((first, run("load", "-q", "-i", by_id).stdout))

    assert answers[0] == answers[1]
    assert "renaming the old one with ID OLD to empty string" in answers[0][0]
    assert answers[0][1] == f"Loaded image ID: {dockers}\n"


@pytest.mark.parametrize("archive_format", ["docker-archive", "oci-archive", "oci-dir"])
def test_skopeo_reads_what_labbox_saved(lab: Lab, docker: Docker, mine: str, archive_format: str) -> None:
    needs("skopeo")
    path = os.path.join(lab.folder(), "saved")
    shutil.rmtree(path, ignore_errors=True)
    lab.output("save", "--format", archive_format, "-o", path, "peer/it:1")
    source = {
        "docker-archive": f"docker-archive:{path}:peer/it:1",
        "oci-archive": f"oci-archive:{path}:docker.io/peer/it:1",
        "oci-dir": f"oci:{path}:docker.io/peer/it:1",
    }[archive_format]

    shown = json.loads(skopeo("inspect", "--config", source))
    copied = os.path.join(lab.folder(), "copied")
    shutil.rmtree(copied, ignore_errors=True)
    skopeo("copy", source, f"oci:{copied}:peer/it:1")
    lab.output("rmi", "peer/it:1", "peer/it:2")

    assert shown["config"]["Labels"] == {"x": "y"}
    assert lab.output("load", "-i", copied) == "Loaded image: peer/it:1"
    # skopeo writes the config of a docker-archive anew for an OCI layout
    assert (lab.output("images", "-q", "--no-trunc", "peer/it:1") == mine) == (archive_format != "docker-archive")
    assert lab.output("run", "--rm", "peer/it:1") == "new"


@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive", "oci"])
def test_labbox_loads_what_skopeo_copied(lab: Lab, docker: Docker, dockers: str, transport: str) -> None:
    needs("skopeo")
    saved, copied = (os.path.join(lab.folder(), name) for name in ("dockers.tar", f"copied-{transport}"))
    docker("save", "-o", saved, "peer/it:1")
    skopeo("copy", f"docker-archive:{saved}", f"{transport}:{copied}:peer/it:1")

    assert lab.output("load", "-i", copied) == "Loaded image: peer/it:1"

    shown = runtime(lab)
    assert shown["RootFS"] == runtime(docker)["RootFS"]
    # skopeo rewrites the config of a docker image for an OCI layout, and so its id
    assert transport != "docker-archive" or shown["Id"] == dockers
    assert tree(lab) == tree(docker)


@pytest.mark.parametrize("archive_format", ["docker-archive", "oci-archive", "oci-dir"])
def test_podman_and_labbox_exchange_images(lab: Lab, docker: Docker, mine: str, archive_format: str) -> None:
    needs("podman")
    sent, back = (os.path.join(lab.folder(), f"podman-{name}") for name in ("sent", "back"))
    root = tempfile.mkdtemp(prefix="lbt-", dir="/tmp")  # short: podman takes 50 characters
    lab.output("save", "--format", archive_format, "-o", sent, "peer/it:1")
    try:
        podman(root, "load", "-i", sent)
        assert podman(root, "images", "--no-trunc", "--format", "{{.ID}}") == mine
        podman(root, "tag", mine, "docker.io/peer/it:1")  # of a folder podman takes no names
        podman(root, "save", "--format", archive_format, "-o", back, "docker.io/peer/it:1")
    finally:
        shutil.rmtree(root)
    lab.output("rmi", "peer/it:1", "peer/it:2")

    assert lab.output("load", "-i", back) == "Loaded image: peer/it:1"
    assert runtime(lab)["Cmd"] == ["sh", "-c", "cat /data/deep/new"]
    assert lab.output("run", "--rm", "peer/it:1") == "new"
    assert archive_format == "docker-archive" or lab.output("images", "-q", "--no-trunc", "peer/it:1") == mine


@pytest.mark.parametrize("sender", ["labbox", "docker"])
def test_exported_files_are_imported_on_the_other_side(lab: Lab, docker: Docker, sender: str) -> None:
    source, target = (lab, docker) if sender == "labbox" else (docker, lab)
    archive = os.path.join(lab.folder(), "exported.tar")
    assert source("run", "--network", "none", "--name", "maker", TINY, "sh", "-c", SCRIPT).returncode == 0
    source("commit", "maker", "peer/it:1")

    assert source("export", "-o", archive, "maker").returncode == 0
    source("rm", "maker")
    imported = target("import", "-m", "from the other side", *CHANGES, archive, "peer/it:1")

    assert imported.returncode == 0, imported.stderr
    assert tree(target) == tree(source)
    assert runtime(target)["Cmd"] == ["sh", "-c", "cat /data/deep/new"]
    assert runtime(target)["Labels"] == {"x": "y"}
    assert target("history", "--format", "{{.Comment}}", "peer/it:1").stdout == "from the other side\n"


def test_a_config_that_labbox_does_not_know_whole_comes_through_unchanged(lab: Lab, docker: Docker) -> None:
    """Members of docker's own, which the OCI specification lacks."""
    recipe = (
        f'FROM {TINY}\nHEALTHCHECK --interval=5s CMD true\nONBUILD RUN true\nSHELL ["/bin/sh", "-ec"]\n'
        "STOPSIGNAL SIGINT\nVOLUME /kept\nEXPOSE 53/udp\nUSER tester\nWORKDIR /data\nMAINTAINER somebody\n"
    )
    built = docker("build", "-q", "-t", "peer/it:1", "-", input=recipe, env={**os.environ, "DOCKER_BUILDKIT": "0"})
    archive, back = (os.path.join(lab.folder(), name) for name in ("config.tar", "config-back.tar"))
    docker("save", "-o", archive, "peer/it:1")
    before = json.loads(docker("image", "inspect", "peer/it:1").stdout)[0]

    lab.output("load", "-i", archive)
    lab.output("save", "-o", back, "peer/it:1")
    docker("rmi", "peer/it:1")
    docker("load", "-i", back)

    after = json.loads(docker("image", "inspect", "peer/it:1").stdout)[0]
    own = ("GraphDriver", "Metadata", "Parent")
    assert {key: after[key] for key in after if key not in own} == {
        key: before[key] for key in before if key not in own
    }
    assert before["Id"] == built.stdout.strip()
    assert lab.output("images", "-q", "--no-trunc", "peer/it:1") == before["Id"]


def skopeo(*arguments: str) -> str:
    return output(["skopeo", "--insecure-policy", *arguments])


def podman(root: str, *arguments: str) -> str:
    """What podman prints over a storage of its own."""
    place = [
        "--root",
        f"{root}/data",
        "--runroot",
        f"{root}/run",
        "--storage-driver",
        "vfs",
        "--cgroup-manager",
        "cgroupfs",
    ]
    return output(["podman", *place, "--events-backend", "none", *arguments])


def output(command: list[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
