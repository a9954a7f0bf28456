"""`labbox up`: from a folder to a running lab, in each identity mode."""

import json
import os
import socket
import subprocess

import pytest

from harness.laboratory import Lab
from harness.modes import many_ids, only_root, only_subuid
from harness.project import SMALL, Project, fetch, service
from labbox.certificates import host_ca_bundle

pytestmark = pytest.mark.timeout(120)


def test_up_prints_links_that_answer(project: Project) -> None:
    project.write("note.txt", "from outside")

    done = project("up")

    assert done.returncode == 0, done.stderr
    name, link = done.stdout.splitlines()[0].split()
    assert name == "web"
    assert fetch(f"{link}note.txt") == "from outside"
    assert "labbox shell" in done.stdout
    assert f"{project.name} is up" in done.stderr
    assert os.stat(f"{project.folder}/labbox.lock").st_uid == project.lab.person.uid


@only_subuid
def test_a_second_up_changes_nothing(project: Project) -> None:
    first = project.up()
    lock = project.read("labbox.lock")

    second = project.up()

    assert (first["change"], second["change"]) == ("created", "none")
    assert second | {"change": ""} == first | {"change": ""}
    assert project.read("labbox.lock") == lock


def test_a_stopped_lab_starts_again_with_the_same_ports(project: Project) -> None:
    first = project.up()
    project.output("stop", project.name)

    second = project.up()

    assert second["change"] == "started"
    assert second["container"] == first["container"]
    assert service(second)["url"] == service(first)["url"]
    assert "labbox.toml" in fetch(service(second)["url"])


def test_a_changed_definition_makes_a_new_container_and_keeps_files_and_volumes(project: Project) -> None:
    project.write("labbox.toml", SMALL + '\n[container]\nmounts = ["store:/store"]\n')
    first = project.up()
    project.output("exec", "sh", "-c", "sudo chown developer /store; echo kept | tee /workspace/a /store/b /tmp/c")

    project.write(
        "labbox.toml", SMALL + '\n[container]\nmounts = ["store:/store"]\nenvironment = { CHANGED = "yes" }\n'
    )
    second = project.up()

    assert second["change"] == "recreated"
    assert second["container"] != first["container"]
    assert service(second)["url"] == service(first)["url"]
    assert project.output("exec", "sh", "-c", "cat /workspace/a /store/b; echo $CHANGED; ls /tmp") == "kept\nkept\nyes"


def test_a_package_more_makes_a_new_image_and_can_be_imported(project: Project) -> None:
    first = project.up()

    project.write("labbox.toml", SMALL.replace('"six"', '"six", "toolz"'))
    second = project.up()

    assert second["change"] == "recreated"
    assert second["image_id"] != first["image_id"]
    assert project.output("exec", "python", "-c", "import six, toolz; print(toolz.first([2]))") == "2"


@only_subuid
def test_recreate_makes_the_container_anew(project: Project) -> None:
    first = project.up()

    second = project.up("--recreate")

    assert second["change"] == "recreated"
    assert second["container"] != first["container"]
    assert second["image_id"] == first["image_id"]


@only_subuid
def test_build_makes_the_same_image_again(project: Project) -> None:
    first = project.up()

    second = project.up("--build")

    assert (second["image_id"], second["container"], second["change"]) == (
        first["image_id"],
        first["container"],
        "none",
    )


@only_subuid
def test_a_frozen_lock_that_is_out_of_date_is_refused(project: Project) -> None:
    missing = project("up", "--frozen")
    assert missing.returncode == 1
    assert "it does not exist" in missing.stderr

    project.output("lock")
    project.write("labbox.toml", SMALL.replace('"six"', '"six", "toolz"'))
    stale = project("up", "--frozen")
    assert stale.returncode == 1
    assert "the definition was changed" in stale.stderr
    assert "labbox lock" in stale.stderr
    assert not project.lab.exists(project.name)

    project.write("labbox.toml", SMALL)
    assert project.up("--frozen")["change"] == "created"


@only_subuid
def test_a_lab_may_have_another_name(project: Project) -> None:
    document = project.up("--name", "another")

    assert (document["name"], project.lab.status("another")) == ("another", "running")
    assert project.output("exec", "hostname") == "another"


@only_subuid
def test_a_detached_up_does_not_wait_for_the_services(project: Project) -> None:
    project.up()
    project.output("down")
    project.write("labbox.toml", SMALL.replace("exec python", "sleep 1000; exec python"))

    done = project("up", "-d", timeout=30)

    assert done.returncode == 0, done.stderr
    assert "http://127.0.0.1" in done.stdout
    assert project.lab.status(project.name) == "running"


@only_subuid
def test_a_quiet_up_prints_links_only(project: Project) -> None:
    done = project("up", "-q")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("web")


@only_subuid
def test_up_works_from_another_folder(project: Project) -> None:
    done = project("up", "--json", project.folder, cwd="/")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["folder"] == project.folder
    assert service(project.status())["state"] == "ready"


@only_subuid
def test_two_ups_at_once_make_one_container(project: Project) -> None:
    both = [project.spawn("up", "--json") for _ in range(2)]
    ends = [(process.communicate(timeout=100), process.returncode) for process in both]

    assert [code for _, code in ends] == [0, 0], ends
    documents = [json.loads(out) for (out, _), _ in ends]
    assert documents[0]["container"] == documents[1]["container"]
    assert sorted(document["change"] for document in documents) == ["created", "none"]
    assert "another labbox works on this lab" in (ends[0][0][1] + ends[1][0][1]).decode()
    assert len(project.lab.output("ps", "-aq").splitlines()) == 1


@only_subuid
def test_a_taken_port_is_passed_over_and_the_next_one_is_kept(lab: Lab) -> None:
    project = Project(lab, definition=SMALL.replace("8000", "18473"))
    with socket.create_server(("127.0.0.1", 18473)):
        first = project.up()
        assert service(first)["url"] == "http://127.0.0.1:18474/"
        project.output("down")

    assert service(project.up())["url"] == "http://127.0.0.1:18474/"
    assert "labbox.toml" in fetch("http://127.0.0.1:18474/")


@only_subuid
def test_two_labs_get_different_ports(lab: Lab) -> None:
    one, other = Project(lab, "one"), Project(lab, "other")

    links = [service(project.up())["url"] for project in (one, other)]
    one.output("down")
    links.append(service(one.up())["url"])

    assert links[0] == links[2] != links[1]
    other.write("other.txt", "this one")
    assert fetch(f"{links[1]}other.txt") == "this one"


def test_files_made_inside_belong_to_the_user_outside(project: Project) -> None:
    project.up()

    project.output("exec", "sh", "-c", "mkdir folder; touch folder/file")

    made = [os.stat(f"{project.folder}/{name}").st_uid for name in ("folder", "folder/file")]
    assert made == [project.lab.person.uid] * 2
    assert project.output("exec", "stat", "-c", "%U", "labbox.toml") == "developer"


@many_ids
def test_developer_may_become_root_and_leave_nothing_that_the_user_cannot_remove(project: Project) -> None:
    project.up()

    project.output("exec", "sudo", "touch", "by-root")

    assert project.output("exec", "stat", "-c", "%U", "by-root") == "root"
    project.output("exec", "rm", "by-root")
    assert not os.path.exists(f"{project.folder}/by-root")


@only_root
def test_files_that_root_makes_in_someones_project_belong_to_that_one(lab: Lab) -> None:
    project = Project(lab)
    for name in ("", "labbox.toml"):
        os.chown(os.path.join(project.folder, name), 12345, 12345)
    project.up()

    project.output("exec", "touch", "made")

    assert os.stat(f"{project.folder}/made").st_uid == 12345


def test_a_link_answers_to_its_owner_only(project: Project) -> None:
    if os.geteuid() != 0:
        pytest.skip("being another user needs root")
    address = service(project.up())["url"]

    read = f"import urllib.request; urllib.request.urlopen({address!r}, timeout=10).read()"
    stranger = subprocess.run(
        ["/usr/bin/python3", "-c", read],
        check=False,
        capture_output=True,
        user=65534,
        group=65534,
        extra_groups=[],
        env={},
    )

    assert stranger.returncode != 0
    assert "labbox.toml" in fetch(address)


def test_the_hosts_certificates_are_seen_inside(project: Project) -> None:
    bundle = host_ca_bundle(os.environ)
    if bundle is None:
        pytest.skip("this host has no bundle of certificates")
    with open(bundle, encoding="utf-8") as file:
        own = project.write("bundle.pem", file.read() + "# with a line of one's own\n")

    project.up(environment={"SSL_CERT_FILE": own})

    inside = project.output("exec", "sh", "-c", 'cat "$SSL_CERT_FILE"')
    assert f"{inside}\n" == project.read("bundle.pem")
    assert project.output("exec", "sh", "-c", "echo $SSL_CERT_FILE") == "/run/labbox/ca.crt"


def test_pip_installs_into_a_running_lab(project: Project) -> None:
    project.up()

    project.output("exec", "pip", "install", "--quiet", "--no-deps", "toolz")

    assert project.output("exec", "python", "-c", "import toolz; print(toolz.first([2]))") == "2"
