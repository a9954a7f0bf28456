"""The commands about a running lab: down, status, logs, restart, exec, shell, open."""

import os
import signal

import pytest

from harness.laboratory import Lab
from harness.modes import many_ids, only_subuid
from harness.project import SMALL, Project, fetch, service
from harness.waiting import wait_until

pytestmark = pytest.mark.timeout(120)

SECOND = """
[services.note]
command = "echo a note; exec sleep 1000"
"""


def test_down_removes_the_container_and_keeps_lock_image_and_volumes(project: Project) -> None:
    project.write("labbox.toml", SMALL + '\n[container]\nmounts = ["store:/store"]\n')
    first = project.up()

    done = project("down")

    assert (done.returncode, done.stderr) == (0, f"{project.name} is down\n")
    assert not project.lab.exists(project.name)
    assert os.path.exists(f"{project.folder}/labbox.lock")
    assert "store" in project.output("volume", "ls", "-q").split()
    assert first["image"] in project.output("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    again = project.up()
    assert (again["change"], again["image_id"]) == ("created", first["image_id"])
    assert service(again)["url"] == service(first)["url"]


@only_subuid
def test_down_without_a_lab_says_so_and_down_twice_is_fine(project: Project) -> None:
    none = project("down")
    assert none.returncode == 1
    assert f"no lab in `{project.folder}`" in none.stderr

    project.up()
    assert project("down", project.folder, cwd="/").returncode == 0
    assert project("down").returncode == 0


def test_status_tells_state_services_and_links(project: Project) -> None:
    assert project("status").returncode == 1
    document = project.up()

    text = project("status")
    assert text.returncode == 0
    assert text.stdout.splitlines()[0] == f"{project.name}  running  {project.folder}"
    assert text.stdout.splitlines()[2].split() == ["web", "ready", "0", service(document)["url"]]
    told = project.status()
    assert (told["status"], told["container"]) == ("running", document["container"])
    assert (service(told)["state"], service(told)["port"]) == ("ready", 8000)

    project.output("stop", project.name)
    stopped = project("status")
    assert (stopped.returncode, stopped.stdout) == (1, f"{project.name}  exited  {project.folder}\n")
    project.output("down")
    gone = project("status", "--json")
    assert gone.returncode == 1
    assert project.status()["status"] == "down"


@only_subuid
def test_logs_shows_one_service_or_all(project: Project) -> None:
    project.write("labbox.toml", SMALL + SECOND)
    project.up()

    assert "Serving HTTP" in project.output("logs", "web")
    lines = project.output("logs").splitlines()
    assert "note | a note" in lines
    assert any(line.startswith("web  | ") for line in lines)
    assert project("logs", "nothing").returncode == 1


@only_subuid
def test_logs_follows_until_ctrl_c(project: Project) -> None:
    url = service(project.up())["url"]
    follower = project.spawn("logs", "-f", "web")
    assert follower.stdout is not None
    fetch(f"{url}?seen")

    wait_until(lambda: b"?seen" in follower.stdout.readline(), what="the request is in the log")  # type: ignore[union-attr]
    follower.send_signal(signal.SIGINT)
    follower.communicate(timeout=20)
    assert follower.returncode == -signal.SIGINT


def test_restart_restarts_a_service_or_the_whole_lab(project: Project) -> None:
    first = project.up()
    process = _process_of_web(project)

    project.output("restart", "web")
    assert _process_of_web(project) != process
    assert service(project.status())["restarts"] == 1
    assert project.status()["container"] == first["container"]

    project.output("restart")
    wait_until(lambda: [entry["state"] for entry in project.status()["services"]] == ["ready"], what="web is ready")
    assert service(project.status())["restarts"] == 0
    assert "labbox.toml" in fetch(service(project.status())["url"])


@only_subuid
def test_exec_needs_no_container_in_a_lab_and_gives_the_exit_code(project: Project) -> None:
    project.up()

    assert project("exec", "sh", "-c", "exit 7").returncode == 7
    assert project.output("exec", project.name, "pwd") == "/workspace"
    assert project.output("exec", "-i", "cat", input="through") == "through"


def test_shell_starts_in_the_folder_one_is_in(project: Project) -> None:
    os.makedirs(f"{project.folder}/deep/inside")
    project.up()

    assert project.output("shell", "pwd", cwd=f"{project.folder}/deep/inside") == "/workspace/deep/inside"
    assert project.output("shell", "pwd") == "/workspace"
    assert project("shell", "sh", "-c", "exit 9").returncode == 9


@many_ids
def test_shell_may_be_that_of_root(project: Project) -> None:
    project.up()

    assert project.output("shell", "-u", "root", "id", "-un") == "root"


def test_shell_is_a_login_shell_on_a_terminal(project: Project) -> None:
    project.up()

    with project.on_terminal("shell") as terminal:
        terminal.expect(b"/workspace")
        terminal.type(b"which python; tty; exit 5\n")
        terminal.expect(b"/opt/env/bin/python")
        terminal.expect(b"/dev/pts/")
        assert terminal.wait() == 5
        assert terminal.is_as_before()


@only_subuid
def test_commands_that_need_a_running_lab_say_how_to_start_it(project: Project) -> None:
    project.up()
    project.output("down")

    for words in (("shell", "true"), ("exec", "true"), ("open",)):
        done = project(*words)
        assert done.returncode == 1, words
        assert f"labbox up {project.folder}" in done.stderr


@only_subuid
def test_open_prints_the_link(project: Project) -> None:
    link = service(project.up())["url"]

    assert project.output("open") == link
    assert project.output("open", "web") == link
    unknown = project("open", "jupyter")
    assert unknown.returncode == 1
    assert "it has web" in unknown.stderr


@only_subuid
def test_a_service_that_dies_is_started_again(project: Project) -> None:
    url = service(project.up())["url"]

    project.output("exec", "sh", "-c", f"kill {_process_of_web(project)}")

    wait_until(lambda: service(project.status())["restarts"] == 1, what="web is started again")
    wait_until(lambda: service(project.status())["state"] == "ready", what="web is ready")
    assert "labbox.toml" in fetch(url)


@only_subuid
def test_a_service_that_cannot_start_ends_up_with_the_end_of_its_log(lab: Lab) -> None:
    project = Project(lab, definition=SMALL + '\n[services.broken]\ncommand = "echo no such thing >&2; exit 3"\n')

    done = project("up")

    assert done.returncode == 1
    assert "service `broken` does not run" in done.stderr
    assert "no such thing" in done.stderr
    assert "labbox logs broken" in done.stderr
    assert service(project.status())["state"] == "ready"

    project.write("labbox.toml", SMALL)
    assert project.up()["change"] == "recreated"


def _process_of_web(project: Project) -> str:
    """Its number inside; a small lab has no pgrep."""
    return project.output("exec", "sh", "-c", "grep -l 'http[.]server' /proc/[0-9]*/cmdline | cut -d/ -f3")
