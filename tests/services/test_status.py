import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from labbox.definition.values import CustomService, Definition, ServicesRequest
from labbox.errors import ConflictError, EngineError
from labbox.services.links import notebook_link, service_link
from labbox.services.plan import ServicePlan, plan_services
from labbox.services.status import (
    read_log_tail,
    read_state,
    read_status,
    request,
    restart_service,
    wait_for_services,
)
from services.supervised import Supervised, service
from services.test_plan import Lock


def write(path: Path, **services: Any) -> str:
    (path / "new").write_text(json.dumps({"services": services, "after_create": None}), encoding="utf-8")
    os.replace(path / "new", path / "status.json")
    return str(path / "status.json")


def plan_of(*names: str) -> ServicePlan:
    custom = tuple(CustomService(name=name, command=("x",)) for name in names)
    services = ServicesRequest(jupyter=False, tensorboard=None, custom=custom)
    return plan_services(Definition(name="lab", services=services), Lock())


def ignore_progress(*_: Any) -> None:
    pass


def test_a_file_that_is_not_there_or_makes_no_sense_is_no_status(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    assert read_state(str(path)) is None
    for text in (
        "",
        "{",
        "[]",
        '{"services": 1}',
        '{"services": {"a": {}}}',
        '{"services": {"a": {"state": "ready", "pid": "x"}}}',
        "[" * 100_000,
    ):
        path.write_text(text, encoding="utf-8")
        assert read_state(str(path)) is None
        assert read_status(str(path)) == ()


def test_what_the_lab_writes_cannot_reach_the_terminal_raw(tmp_path: Path) -> None:
    path = write(tmp_path, **{"a\x1b[2J": {"state": "dancing", "exit": "\x07bell\n", "health": "x" * 5000}})

    (state,) = read_status(path)
    assert (state.name, state.state, state.exit) == ("a�[2J", "stopped", "�bell�")
    assert len(state.health) == 500


def test_a_link_or_a_pipe_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"services": {"a": {"state": "ready"}}}', encoding="utf-8")
    os.symlink(tmp_path / "secret", tmp_path / "status.json")
    assert read_state(str(tmp_path / "status.json")) is None
    os.unlink(tmp_path / "status.json")
    os.mkfifo(tmp_path / "status.json")
    assert read_state(str(tmp_path / "status.json")) is None
    (tmp_path / "control").write_text("", encoding="utf-8")
    with pytest.raises(ConflictError):
        request(str(tmp_path), "restart", "a")
    assert not (tmp_path / "control").read_bytes()


def test_waiting_ends_when_each_service_is_ready_or_hopeless(tmp_path: Path) -> None:
    lab = Supervised(str(tmp_path))
    lab.write(service("good", "sleep", "1000"), service("bad", "false"))
    reports: list[tuple[str, int, int]] = []
    with lab.running():
        states = wait_for_services(lab.status_path, plan_of("good", "bad"), lambda *report: reports.append(report))
    assert [(state.name, state.state, state.is_hopeless) for state in states] == [
        ("good", "ready", False),
        ("bad", "failing", True),
    ]
    assert reports == [("services", 0, 2), ("services", 1, 2)]


def test_waiting_for_a_container_that_ends_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, a={"state": "starting"})
    with pytest.raises(EngineError, match="ended before its services were ready"):
        wait_for_services(path, plan_of("a"), ignore_progress, is_alive=lambda: False)


def test_lines_for_a_new_container_are_reported_while_they_run(tmp_path: Path) -> None:
    lab = Supervised(str(tmp_path))
    os.mkfifo(tmp_path / "go")
    lab.write(service("a", "sleep", "1000"), after_create=[f"cat {tmp_path}/go"])
    reports: list[tuple[str, int, int]] = []

    def report(*values: Any) -> None:
        reports.append(values)
        if values[0] == "after-create":
            threading.Thread(target=(tmp_path / "go").write_bytes, args=(b"",)).start()

    with lab.running():
        wait_for_services(lab.status_path, plan_of("a"), report)
    assert reports == [("after-create", 0, 1), ("services", 0, 1), ("services", 1, 1)]


def test_a_restart_is_waited_for(tmp_path: Path) -> None:
    lab = Supervised(str(tmp_path))
    lab.write(service("a", "sleep", "1000"))
    with lab.running():
        before = lab.wait_for("a", state="ready")
        after = restart_service(lab.run, "a", ignore_progress)
        with pytest.raises(ConflictError, match="no service `b`"):
            restart_service(lab.run, "b", ignore_progress)
    assert (after.state, after.restarts) == ("ready", 1)
    assert after.pid != before.pid


def test_a_restart_ends_with_the_supervisor(tmp_path: Path) -> None:
    lab = Supervised(str(tmp_path))
    lab.write(service("deaf", "sh", "-c", "trap '' TERM; while :; do sleep 1000; done"))
    with lab.running():
        lab.wait_for("deaf", state="ready")
        ender = threading.Timer(0.3, lab.end)
        ender.start()
        with pytest.raises(ConflictError, match="do not run"):
            restart_service(lab.run, "deaf", ignore_progress)
        ender.join()


def test_the_end_of_a_log_is_lines_without_control_characters(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/a.log").write_bytes(b"old\n" * 9000 + b"one\n\x1b[31mtwo\xff\n")

    assert read_log_tail(str(tmp_path), "a", 2) == ["one", "�[31mtwo�"]
    assert read_log_tail(str(tmp_path), "none") == []


def test_links_open_what_they_name() -> None:
    assert service_link("jupyter", 8889, "abc") == "http://127.0.0.1:8889/lab?token=abc"
    assert service_link("tensorboard", 6006, "abc") == "http://127.0.0.1:6006/"
    assert service_link("worker", None, "abc") == ""
    assert notebook_link(8888, "abc", "a b/c.ipynb") == "http://127.0.0.1:8888/lab/tree/a%20b/c.ipynb?token=abc"
