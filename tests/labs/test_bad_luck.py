"""What goes wrong around a lab: interrupted and killed commands, things removed by hand, moved folders, equal names."""

import os
import shutil
import signal
import subprocess

import pytest

from harness.laboratory import Lab
from harness.modes import only_subuid
from harness.project import SMALL, Project, fetch, service
from harness.waiting import wait_until
from harness.workplace import Workplace
from labs.conftest import lab_environment

pytestmark = pytest.mark.timeout(200)

# Where `up` of a new lab is cut off, in this order: the lines it prints when a stage begins.
STAGES = (
    b"choosing Python packages",
    b"unpacking the system",
    b"configuring the system",
    b"compiling Python code",
    b"starting services",
)


@pytest.mark.parametrize(("mode", "cut"), [("root", signal.SIGINT), ("subuid", signal.SIGKILL)])
def test_an_up_that_is_cut_off_anywhere_goes_on_the_next_time(
    mode: str, cut: signal.Signals, workplace: Workplace
) -> None:
    try:
        lab = workplace.make_lab(mode, f"cut-{mode}")
    except LookupError as error:
        pytest.skip(str(error))
    lab.environment |= lab_environment(lab, workplace)
    project = Project(lab)
    try:
        seen = [stage for stage in STAGES if _cut_off_at(project, stage, cut)]
        assert seen == list(STAGES)
        document = project.up()
        assert "labbox.toml" in fetch(service(document)["url"])
        assert project.up()["change"] == "none"
        assert len(project.lab.output("ps", "-aq").splitlines()) == 1
    finally:
        lab.clear()


def _cut_off_at(project: Project, stage: bytes, cut: signal.Signals) -> bool:
    """Start `up`, and stop it when it begins a stage; False when it had nothing to do there, and is up."""
    process = project.spawn("up", start_new_session=True)
    assert process.stderr is not None
    said = b""
    while stage not in said:
        line = process.stderr.readline()
        if not line:
            break
        said += line
    found = stage in said
    if found and cut == signal.SIGINT:
        os.killpg(process.pid, cut)  # as a terminal does
    elif found:
        process.kill()
    _, rest = process.communicate(timeout=60)
    assert process.returncode in ({-cut, 0} if found else {0}), said + rest
    assert b"Traceback" not in said + rest
    if not found:
        project.output("down")
    wait_until(
        lambda: (found and not _stages_left(project)) or not found, what="the killed command leaves nothing running"
    )
    return found


def _stages_left(project: Project) -> list[int]:
    """Processes of labbox itself that still make something; those of a running lab may stay."""
    if project.lab.output("ps", "-q"):
        return []
    return list(project.lab.processes())


@only_subuid
def test_a_container_removed_by_hand_is_made_again(project: Project) -> None:
    first = project.up()
    project.output("rm", "-f", project.name)
    assert project("status").returncode == 1

    second = project.up()

    assert second["change"] == "created"
    assert service(second)["url"] == service(first)["url"]


@only_subuid
def test_an_image_removed_by_hand_is_made_again(project: Project) -> None:
    first = project.up()
    project.output("down")
    project.output("rmi", "-f", first["image"])

    second = project.up()

    assert second["image_id"] == first["image_id"]
    assert "labbox.toml" in fetch(service(second)["url"])


@only_subuid
def test_a_moved_folder_gets_its_lab_again(project: Project, lab: Lab) -> None:
    project.up()
    os.rename(project.folder, f"{project.folder}-elsewhere")
    moved = Project(lab, f"{project.name}-elsewhere", definition="")

    document = moved.up("--name", project.name)

    assert document["change"] == "created"
    assert document["folder"] == moved.folder
    assert "labbox.toml" in fetch(service(document)["url"])
    assert moved.output("exec", "ls") == "labbox.lock\nlabbox.toml"


@only_subuid
def test_two_labs_of_one_name_are_refused_with_a_way_out(lab: Lab) -> None:
    one = Project(lab, "one")
    two = Project(lab, "two")
    one.up("--name", "same")

    refused = two("up", "--name", "same")

    assert refused.returncode == 1
    assert f"`{one.folder}`" in refused.stderr
    assert "labbox up --name NAME" in refused.stderr
    assert service(one.status())["state"] == "ready"
    assert two.up("--name", "other")["name"] == "other"


@only_subuid
def test_a_strangers_container_of_the_name_is_left_alone(project: Project, lab: Lab) -> None:
    lab.output("create", "--name", project.name, "tiny", "true")

    refused = project("up")

    assert refused.returncode == 1
    assert f"a container named `{project.name}` exists that is not this lab's" in refused.stderr
    assert lab.status(project.name) == "created"


@only_subuid
def test_a_faulty_definition_is_told_and_the_running_lab_stays(project: Project) -> None:
    project.up()
    project.write("labbox.toml", SMALL + "\n[container]\nmemory = true\ncpu = 1\n")

    refused = project("up")

    assert refused.returncode == 125
    assert "container.memory" in refused.stderr
    assert "container.cpu" in refused.stderr
    assert service(project.status())["state"] == "ready"


@only_subuid
def test_a_missing_folder_is_told(project: Project) -> None:
    shutil.rmtree(project.folder)

    refused = project("up", project.folder, cwd="/")

    assert refused.returncode == 1
    assert f"`{project.folder}`" in refused.stderr


@only_subuid
def test_a_package_that_does_not_exist_leaves_the_lock_as_it_was(project: Project) -> None:
    project.up()
    lock = project.read("labbox.lock")
    project.write("labbox.toml", SMALL.replace('"six"', '"six==99"'))

    refused = project("up")

    assert refused.returncode == 1
    assert "six" in refused.stderr
    assert project.read("labbox.lock") == lock
    assert service(project.status())["state"] == "ready"


@only_subuid
def test_a_full_pipe_behind_up_ends_it_quietly(project: Project) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" | true', "sh", *project.lab.command("up")],
        check=False,
        capture_output=True,
        timeout=100,
        **project.lab.options({"cwd": project.folder}),
    )

    assert b"Traceback" not in done.stderr
    assert service(project.status())["state"] == "ready"
