import ast
import json
import os
import re
import signal
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from harness.waiting import wait_until
from labbox.errors import ConflictError
from labbox.services.inside_programs import read_source
from labbox.services.status import read_state, request
from services.supervised import HTTP, MUTE, Supervised, free_port, python, service

# Each run adds a line to a file, so that tests count them.
COUNTED = "echo run >> {file}; {then}"


@pytest.fixture
def lab(tmp_path: Path) -> Supervised:
    return Supervised(str(tmp_path))


def ignore_progress(*_: Any) -> None:
    pass


def test_a_service_is_ready_once_its_port_answers(lab: Supervised) -> None:
    port = free_port()
    lab.write(python("web", *HTTP, str(port), port=port, path="/"))
    with lab.running():
        state = lab.wait_for("web", state="ready")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert answer.status == 200
    assert (state.port, state.restarts, state.exit, state.health) == (port, 0, None, "answers")
    assert lab.state("web").state == "stopped"
    assert lab.state("web").exit == "killed by SIGTERM"
    assert "Serving HTTP" in lab.log("web") or "GET /" in lab.log("web")


def test_a_port_without_a_path_is_ready_once_it_takes_connections(lab: Supervised) -> None:
    port = free_port()
    lab.write(python("mute", "-c", MUTE.format(port=port), port=port))
    with lab.running():
        lab.wait_for("mute", state="ready")


def test_a_service_without_a_port_is_ready_when_it_lives(lab: Supervised) -> None:
    lab.write(service("idle", "sleep", "1000"))
    with lab.running():
        assert lab.wait_for("idle", state="ready").port is None


def test_a_service_runs_in_its_folder_with_its_variables_and_a_session_of_its_own(lab: Supervised) -> None:
    program = "pwd; echo $GREETING; echo $LAB; ps -o sid= -p $$; echo $$; exec sleep 1000"
    lab.write(service("say", "sh", "-c", program, folder=lab.root, environment={"GREETING": "hello"}))
    with lab.running(LAB="yes"):
        state = lab.wait_for("say", state="ready")
        folder, greeting, variable, session, number = lab.log("say").split()
    assert (folder, greeting, variable) == (lab.root, "hello", "yes")
    assert session == number == str(state.pid)


def test_a_killed_service_starts_again(lab: Supervised) -> None:
    port = free_port()
    lab.write(python("web", *HTTP, str(port), port=port, path="/"))
    with lab.running():
        first = lab.wait_for("web", state="ready")
        os.kill(first.pid, signal.SIGKILL)
        second = lab.wait_for("web", state="ready", restarts=1)
    assert second.pid != first.pid
    assert second.exit == "killed by SIGKILL"
    assert "killed by SIGKILL; starts again in 0.5 s" in lab.log("web")


def test_a_service_that_keeps_dying_is_started_ever_more_seldom(lab: Supervised) -> None:
    lab.write(service("bad", "sh", "-c", "echo no luck; exit 3"))
    with lab.running():
        state = lab.wait_for("bad", restarts=2, state="failing")
        _, output = lab.end()
    assert state.exit == "exit code 3"
    assert state.failures == 3
    assert state.is_hopeless
    assert re.findall(r"starts again in ([\d.]+) s", output)[:3] == ["0.5", "1", "2"]
    assert lab.log("bad").count("no luck") >= 3


def test_what_a_dead_service_left_behind_is_ended_before_it_starts_again(lab: Supervised) -> None:
    lab.write(service("parent", "sh", "-c", f"sleep 1000 & echo $! >> {lab.root}/children; wait"))
    with lab.running():
        first = lab.wait_for("parent", state="ready")
        os.kill(first.pid, signal.SIGKILL)
        lab.wait_for("parent", state="ready", restarts=1)
        child = Path(lab.root, "children").read_text(encoding="ascii").split()[0]
        wait_until(lambda: not is_running(child), what="the child ends")


def is_running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_program_that_does_not_exist_is_named(lab: Supervised) -> None:
    lab.write(service("none", "/no/such/program"), service("lost", "true", folder="/no/such/folder"))
    with lab.running():
        none = lab.wait_for("none", state="failing")
        lost = lab.wait_for("lost", state="failing")
    assert none.exit == "cannot be started: No such file or directory: `/no/such/program`"
    assert lost.exit == "cannot be started: No such file or directory: `/no/such/folder`"


def test_a_port_that_never_answers_is_a_failure_yet_not_the_end(lab: Supervised) -> None:
    port = free_port()
    file = f"{lab.root}/go"
    program = f"import os, time\nwhile not os.path.exists({file!r}): time.sleep(.05)\n{MUTE.format(port=port)}"
    lab.write(python("slow", "-c", program, port=port, timeout=0.3))
    with lab.running():
        state = lab.wait_for("slow", state="failing")
        assert state.is_hopeless
        assert state.health == f"port {port}: Connection refused"
        Path(file).touch()
        again = lab.wait_for("slow", state="ready")
        assert again.pid == state.pid


def test_a_page_that_is_an_error_is_no_health(lab: Supervised) -> None:
    port = free_port()
    lab.write(python("web", *HTTP, str(port), port=port, path="/no-such-page", timeout=0.5))
    with lab.running():
        assert lab.wait_for("web", state="failing").health == f"port {port}: answers with status 404"


def test_an_answer_that_is_not_http_is_no_health(lab: Supervised) -> None:
    port = free_port()
    program = (
        f"import socket\ns = socket.create_server(('127.0.0.1', {port}))\n"
        "while True: s.accept()[0].send(b'SSH-2.0\\r\\n')"
    )
    lab.write(python("ssh", "-c", program, port=port, path="/", timeout=0.5))
    with lab.running():
        state = lab.wait_for("ssh", state="failing")
    assert state.health in (f"port {port}: answers, but not as HTTP", f"port {port}: Connection reset by peer")


def test_a_command_restarts_stops_and_starts_one_service(lab: Supervised) -> None:
    lab.write(service("one", "sleep", "1000"), service("two", "sleep", "1000"))
    with lab.running():
        one, two = lab.wait_for("one", state="ready"), lab.wait_for("two", state="ready")
        request(lab.run, "restart", "one")
        again = lab.wait_for("one", state="ready", restarts=1)
        assert again.pid != one.pid
        request(lab.run, "stop", "one")
        assert lab.wait_for("one", state="stopped").pid == 0
        request(lab.run, "start", "one")
        lab.wait_for("one", state="ready")
        request(lab.run, "dance", "one")
        request(lab.run, "restart", "nobody")
        assert lab.wait_for("two", state="ready").pid == two.pid
    assert "starts anew, as asked for" in lab.log("one")


def test_a_restart_does_not_wait_for_the_back_off(lab: Supervised) -> None:
    file = f"{lab.root}/works"
    lab.write(service("bad", "sh", "-c", f"test -e {file} && exec sleep 1000; exit 1"))
    with lab.running():
        lab.wait_for("bad", restarts=3, state="failing")  # the next start is 4 s away
        Path(file).touch()
        request(lab.run, "restart", "bad")
        assert wait_until(lambda: lab.state("bad").state == "ready", timeout_seconds=3)


def test_nobody_hears_a_command_when_no_supervisor_runs(lab: Supervised) -> None:
    lab.write(service("one", "sleep", "1000"))
    with pytest.raises(ConflictError, match="do not run"):
        request(lab.run, "restart", "one")
    with lab.running():
        lab.wait_for("one", state="ready")
    with pytest.raises(ConflictError, match="do not run"):
        request(lab.run, "restart", "one")


def test_sigterm_ends_even_services_that_ignore_it(lab: Supervised) -> None:
    lab.write(
        service("deaf", "sh", "-c", "trap '' TERM; while :; do sleep 1000; done"), service("idle", "sleep", "1000")
    )
    with lab.running():
        deaf = lab.wait_for("deaf", state="ready")
        lab.wait_for("idle", state="ready")
        code, _ = lab.end()
    assert code == 0
    assert lab.state("deaf").exit == "killed by SIGKILL"
    assert lab.state("idle").exit == "killed by SIGTERM"
    assert not is_running(str(deaf.pid))


def test_output_beyond_the_limit_moves_to_one_old_file(lab: Supervised) -> None:
    source = f"{lab.root}/opt/labbox/bin/labbox-services"
    text = Path(source).read_text(encoding="utf-8").replace("LOG_BYTES = 4 << 20", "LOG_BYTES = 4 << 10")
    Path(source).write_text(text, encoding="utf-8")
    lab.write(service("loud", "sh", "-c", "for i in $(seq 3000); do echo line $i; done; exec sleep 1000"))
    with lab.running():
        wait_until(lambda: os.path.exists(f"{lab.run}/logs/loud.log.1"))
        lab.wait_for("loud", state="ready")
    assert sorted(os.listdir(f"{lab.run}/logs")) == ["loud.log", "loud.log.1"] or os.listdir(f"{lab.run}/logs") == [
        "loud.log.1"
    ]
    assert os.path.getsize(f"{lab.run}/logs/loud.log.1") < 4096 + (1 << 16)


def test_status_is_whole_at_any_moment(lab: Supervised) -> None:
    lab.write(*(service(f"flap{n}", "sh", "-c", "exit 1") for n in range(8)))
    seen = set()
    with lab.running():
        wait_until(lambda: os.path.exists(lab.status_path))
        while lab.state("flap0").restarts < 2:
            document = json.loads(Path(lab.status_path).read_text(encoding="utf-8"))
            assert len(document["services"]) == 8
            seen.add(document["services"]["flap7"]["restarts"])
    assert {0, 1} <= seen
    assert stat.S_ISFIFO(os.stat(f"{lab.run}/control").st_mode)


def test_lines_for_a_new_container_run_once_and_first(lab: Supervised) -> None:
    file = f"{lab.root}/workspace/order"
    lab.write(
        service("later", "sh", "-c", f"echo service >> {file}; exec sleep 1000"),
        after_create=["echo first >> order", "cd /", f"pwd; echo second >> {file}"],
    )
    for _ in range(2):
        with lab.running():
            lab.wait_for("later", state="ready")
            state = read_state(lab.status_path)
    assert Path(file).read_text(encoding="ascii").split() == ["first", "second", "service", "service"]
    assert "+ pwd\n/\n" in lab.log("after-create")
    assert state is not None
    assert state.after_create is None  # nothing was to be done the second time


def test_lines_that_fail_are_reported_and_the_services_start_all_the_same(lab: Supervised) -> None:
    lab.write(service("later", "sleep", "1000"), after_create=["echo sad; false", "echo never"])
    with lab.running():
        lab.wait_for("later", state="ready")
        state = read_state(lab.status_path)
        _, output = lab.end()
    assert state is not None
    assert state.after_create == ("failed", "exit code 1")
    assert "after_create failed: exit code 1" in output
    assert "\nnever" not in lab.log("after-create")


def test_an_end_while_those_lines_run_starts_nothing(lab: Supervised) -> None:
    lab.write(service("later", "sh", "-c", f"touch {lab.root}/started"), after_create=["sleep 1000"])
    with lab.running():
        wait_until(lambda: os.path.exists(lab.status_path))
        code, _ = lab.end()
    assert code == 0
    assert not os.path.exists(f"{lab.root}/started")


@pytest.mark.parametrize("given", ["file", "variable", "nothing"])
def test_the_token_comes_from_labbox_else_from_the_variable_else_from_chance(tmp_path: Path, given: str) -> None:
    lab = Supervised(str(tmp_path), has_run=given == "file")
    if given == "file":
        Path(lab.run, "token").write_text("from-file\n", encoding="ascii")
    lab.write(
        service(
            "show",
            "sh",
            "-c",
            f"echo $SECRET > {lab.root}/shown.new; mv {lab.root}/shown.new {lab.root}/shown; sleep 1000",
            token_variable="SECRET",
        )
    )
    environment = {} if given == "nothing" else {"JUPYTER_TOKEN": "from-variable"}
    with lab.running(**environment):
        wait_until(lambda: os.path.exists(f"{lab.root}/shown"))
    shown = Path(lab.root, "shown").read_text(encoding="ascii").strip()
    if given == "nothing":
        assert re.fullmatch("[0-9a-f]{48}", shown)
    else:
        assert shown == f"from-{given}"


def test_without_labbox_outside_all_output_and_the_link_go_to_stdout(tmp_path: Path) -> None:
    lab = Supervised(str(tmp_path), has_run=False)
    port = free_port()
    lab.write(
        python(
            "jupyter",
            *HTTP[:2],
            str(port),
            port=port,
            path="/",
            link="/lab?token={token}",
            argv_alone=["--bind", "127.0.0.1"],
        ),
        service("say", "sh", "-c", "echo one; echo two >&2; exec sleep 1000"),
    )
    with lab.running(JUPYTER_TOKEN="secret") as running:
        assert running.process is not None
        assert running.process.stdout is not None
        lines: list[bytes] = []
        while not lines or b"token" not in lines[-1]:
            lines.append(running.process.stdout.readline())
        code, rest = lab.end()
    output = b"".join(lines).decode() + rest
    assert code == 0
    assert f"labbox | http://127.0.0.1:{port}/lab?token=secret\n" in output
    assert "say | one\nsay | two\n" in output
    assert not os.path.exists(lab.run)


def test_as_process_1_it_takes_orphans_away_and_ends_when_told(lab: Supervised) -> None:
    namespaces = [
        "unshare",
        *(["--user", "--map-root-user"] if os.geteuid() else []),
        "--pid",
        "--fork",
        "--mount-proc",
    ]
    if subprocess.run([*namespaces, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no process namespace can be made here")
    orphan = f"(sh -c 'exec sh -c \"echo $$ > {lab.root}/orphan\"' &); exec sleep 1000"
    zombies = "sum(') Z 1 ' in open(path).read() for path in glob.glob('/proc/[0-9]*/stat'))"
    count = f"import glob, time\nwhile True:\n print({zombies})\n time.sleep(.1)"
    lab.write(
        service("parent", "sh", "-c", orphan),
        python("count", "-uc", count),
    )
    with lab.running(*namespaces) as running:
        assert running.process is not None
        wait_until(lambda: os.path.exists(f"{lab.root}/orphan"))
        lab.wait_for("count", state="ready")
        wait_until(lambda: lab.log("count").split()[-3:] == ["0", "0", "0"])
        assert json.loads(Path(lab.status_path).read_text(encoding="utf-8"))["pid"] == 1
        children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text(encoding="ascii")
        os.kill(int(children), signal.SIGTERM)  # unshare itself does not pass signals on
        assert running.process.wait(timeout=10) == 0


def test_a_missing_list_of_services_is_one_clear_message(lab: Supervised) -> None:
    with lab.running() as running:
        assert running.process is not None
        output, _ = running.process.communicate(timeout=10)
    assert running.process.returncode == 1
    assert re.fullmatch(rb"labbox-services: FileNotFoundError: .*services.json'\n", output)


def test_it_needs_little_memory(lab: Supervised) -> None:
    lab.write(*(service(f"idle{n}", "sleep", "1000") for n in range(4)))
    with lab.running() as running:
        lab.wait_for("idle3", state="ready")
        assert running.process is not None
        text = Path(f"/proc/{running.process.pid}/status").read_text(encoding="ascii")
    assert int(text.split("VmRSS:")[1].split()[0]) < 15_000


def test_it_is_python_3_9_and_uses_nothing_of_labbox() -> None:
    for name in ("supervisor.py", "start_jupyterlab.py"):
        tree = ast.parse(read_source(name), feature_version=(3, 9))
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert imported <= set(sys.stdlib_module_names) | {"importlib.util"}
