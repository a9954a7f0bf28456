"""The verbs over containers: what they print, how they end, what they refuse."""

import json
import os
import re
import time

import pytest

from harness.laboratory import TINY, Lab
from harness.modes import only_root
from harness.waiting import wait_until

FULL_ID = re.compile(r"[0-9a-f]{64}")


@only_root
def test_ps_shows_containers_newest_first_in_dockers_columns(lab: Lab) -> None:
    lab.output("create", "--name", "made", TINY, "echo", "a b", "it's", 'q"q', "longlonglonglong")
    lab.start("--name", "web", "--label", "a=1", "--label", "b", TINY, "sleep", "1000")

    header, web, made = lab.output("ps", "-a").splitlines()

    assert re.split(r"  +", header) == ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
    assert re.split(r"  +", web)[1:3] == [TINY, '"sleep 1000"']
    assert re.split(r"  +", web)[4].startswith("Up ")
    assert web.endswith("web")
    assert "\"echo 'a b' it's q\\\"q…\"" in made
    assert lab.output("ps", "-q").splitlines() == [web.split()[0]]
    assert lab.output("ps", "--format", "{{.Names}}|{{.Labels}}|{{.State}}") == "web|a=1,b=|running"
    assert lab.output("ps", "--format", 'table {{.Names}}\\t{{.Label "a"}}') == "NAMES     a\nweb       1"
    assert json.loads(lab.output("ps", "--format", "json"))["Names"] == "web"
    assert [one["name"] for one in json.loads(lab.output("ps", "-a", "--json"))] == ["web", "made"]


@only_root
@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (["--filter", "name=on"], ["one"]),
        (["-a", "--filter", "name=^tw"], ["two"]),
        (["--filter", "status=exited"], ["two"]),
        (["--filter", "status=exited", "--filter", "status=running"], ["two", "one"]),
        (["--filter", "exited=3"], ["two"]),
        (["-a", "--filter", "label=k=v"], ["one"]),
        (["-a", "--filter", f"ancestor={TINY}"], ["three", "two", "one"]),
        (["-a", "--filter", "since=one"], ["three", "two"]),
        (["-a", "--filter", "before=two"], ["one"]),
        (["-a", "--filter", "volume=data"], ["three"]),
        (["-a", "--filter", "network=none"], ["two"]),
        (["-n", "2"], ["three", "two"]),
        (["-l"], ["three"]),
    ],
    ids=str,
)
def test_filters_choose_as_dockers_do(lab: Lab, flags: list[str], names: list[str]) -> None:
    lab.start("--name", "one", "--label", "k=v", TINY, "sleep", "1000")
    lab("run", "--name", "two", "--network", "none", TINY, "sh", "-c", "exit 3")
    lab.output("create", "--name", "three", "-v", "data:/d", TINY, "true")

    assert lab.output("ps", *flags, "--format", "{{.Names}}").split() == names


@only_root
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["start", "nosuch"], "No such container: nosuch"),
        (["stop", "nosuch"], "No such container: nosuch"),
        (["restart", "nosuch"], "No such container: nosuch"),
        (["kill", "nosuch"], "Cannot kill container: nosuch: No such container: nosuch"),
        (["rm", "nosuch"], "No such container: nosuch"),
        (["exec", "nosuch", "true"], "No such container: nosuch"),
        (["logs", "nosuch"], "No such container: nosuch"),
        (["attach", "nosuch"], "No such container: nosuch"),
        (["wait", "nosuch"], "No such container: nosuch"),
        (["top", "nosuch"], "No such container: nosuch"),
        (["port", "nosuch"], "No such container: nosuch"),
        (["diff", "nosuch"], "No such container: nosuch"),
        (["export", "nosuch"], "No such container: nosuch"),
        (["commit", "nosuch"], "No such container: nosuch"),
        (["cp", "nosuch:/x", "."], "No such container: nosuch"),
        (["rename", "nosuch", "b"], "No such container: nosuch"),
        (["stats", "--no-stream", "nosuch"], "No such container: nosuch"),
        (["inspect", "nosuch"], "No such object: nosuch"),
        (["container", "inspect", "nosuch"], "No such container: nosuch"),
        (["attach", "made"], "You cannot attach to a stopped container, start it first"),
        (["start", "-ai", "made", "made"], "you cannot start and attach multiple containers at once"),
        (["kill", "-s", "foo", "made"], "Invalid signal: foo"),
        (["kill", "-s", "0", "made"], "Invalid signal: 0"),
        (["rename", "made", "made"], "Renaming a container with the same name as its current name"),
        (["port", "made", "80"], "No public port '80' published for made"),
        (["port", "made", "x"], 'invalid port (x): strconv.ParseInt: parsing "x": invalid syntax'),
        (["ps", "--filter", "foo=bar"], "Invalid filter 'foo'"),
        (["ps", "--filter", "status=bad"], "Invalid filter 'status=bad'"),
        (["ps", "--filter", "since=nosuch"], "No such container: nosuch"),
        (
            ["ps", "-a", "--format", "{{.Foo}}"],
            "failed to execute template: template: :1:2: executing \"\" at <.Foo>: can't evaluate field Foo",
        ),
        (["ps", "--format", "{{.Names"], "failed to parse template: template: :1: unclosed action"),
        (
            ["logs", "--since", "foo", "made"],
            'invalid value for "since": failed to parse value as time or duration: "foo"',
        ),
        (["cp", "a", "b"], "must specify at least one container source"),
        (["cp", "made:/x", "made:/y"], "copying between containers is not supported"),
        (["cp", "made:", "."], "bad parameter: path cannot be empty"),
        (["cp", "made:/nosuch", "."], "Could not find the file /nosuch in container made"),
        (["commit", "made", "UP"], "invalid reference format: repository name (library/UP) must be lowercase"),
        (["commit", "-c", "FOO x", "made"], "foo is not a valid change command"),
        (["inspect", "--type", "foo", "made"], 'unknown type: "foo": must be one of "container", "image", "volume"'),
        (["run", "-d", "-a", "stdout", TINY, "true"], "conflicting options: cannot specify both --attach and --detach"),
        (["run", "-it", TINY, "true"], "the input device is not a TTY"),
        (["exec", "-it", "made", "true"], "the input device is not a TTY"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_what_cannot_be_done_is_told_in_dockers_words(lab: Lab, arguments: list[str], message: str) -> None:
    lab.output("create", "--name", "made", TINY, "true")

    done = lab(*arguments)

    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == f"labbox: {message}"


@only_root
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--pull", "foo", TINY], "invalid pull option: 'foo': must be one of \"always\", \"missing\" or \"never\""),
        (["--pull", "never", "nosuch"], "No such image: nosuch:latest"),
        (["UPPER"], "invalid reference format: repository name (library/UPPER) must be lowercase"),
        (["a b"], "invalid reference format"),
        (["--restart", "always", "--rm", TINY], "conflicting options: cannot specify both --restart and --rm"),
        (["-v", "/tmp:/x", "--tmpfs", "/x", TINY], "Duplicate mount point: /x"),
        (["--stop-signal", "foo", TINY, "true"], "Invalid signal: foo"),
        (["-w", "rel", TINY, "true"], "the working directory 'rel' is invalid, it needs to be an absolute path"),
        (
            ["--cidfile", "/etc/passwd", TINY, "true"],
            "container ID file found, make sure the other container isn't running or delete /etc/passwd",
        ),
        (["--detach-keys", "foo", TINY, "true"], 'invalid detach keys (foo): unknown character: "foo"'),
        (["-m", "1k", TINY, "true"], "Minimum memory limit allowed is 6MB"),
        (["--memory", "xx", TINY], 'invalid argument "xx" for "-m, --memory" flag: invalid size: \'xx\''),
        (["-e", "=x", TINY], 'invalid argument "=x" for "-e, --env" flag: invalid environment variable: =x'),
        (["--volumes-from", "nosuch", TINY, "true"], "No such container: nosuch"),
        (["--name", "taken", TINY, "true"], 'Conflict. The container name "/taken" is already in use by container'),
        (["--name", "a b", TINY, "true"], "Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_run_ends_with_125_for_what_it_cannot_start_and_leaves_nothing(
    lab: Lab, flags: list[str], message: str
) -> None:
    lab.output("create", "--name", "taken", TINY, "true")

    done = lab("run", *flags)

    assert done.returncode == 125
    assert done.stderr.splitlines()[0].startswith(f"labbox: {message}")
    assert lab.output("ps", "-a", "--format", "{{.Names}}") == "taken"


@only_root
def test_an_image_that_no_registry_can_give_is_refused(lab: Lab) -> None:
    done = lab("run", "127.0.0.1:1/nosuch:1")  # nobody listens at port 1

    assert done.returncode == 125
    first, second, third = done.stderr.splitlines()
    assert first == "Unable to find image '127.0.0.1:1/nosuch:1' locally"
    assert second == "1: Pulling from nosuch"
    assert third == "labbox: cannot reach `127.0.0.1:1`: [Errno 111] Connection refused"


@only_root
def test_verbs_go_on_after_a_name_that_does_not_exist(lab: Lab) -> None:
    lab.start("--name", "one", TINY, "sleep", "1000")
    lab.start("--name", "two", TINY, "sleep", "1000")

    for verb in (("stop", "-t", "0"), ("start",), ("kill",), ("rm",)):
        done = lab(*verb, "one", "nosuch", "two")
        assert (done.returncode, done.stdout) == (1, "one\ntwo\n"), verb
        assert "nosuch" in done.stderr


@only_root
def test_verbs_on_what_is_so_already_are_no_failures(lab: Lab) -> None:
    lab.start("--name", "web", TINY, "sleep", "1000")

    assert lab.output("start", "web") == "web"
    assert lab.output("stop", "-t", "0", "web") == "web"
    assert lab.output("stop", "web") == "web"
    assert lab.output("wait", "web", "web") == "137\n137"
    gone = lab("rm", "-f", "nosuch")
    assert (gone.returncode, gone.stdout) == (0, "")


@only_root
def test_run_detached_prints_the_id_and_writes_it_where_it_is_asked_to(lab: Lab) -> None:
    path = os.path.join(lab.folder(), "id")
    identity = lab.start("--cidfile", path, "--name", "web", TINY, "sleep", "1000")
    assert FULL_ID.fullmatch(identity)
    with open(path, encoding="ascii") as file:
        assert file.read() == identity
    os.unlink(path)
    assert FULL_ID.fullmatch(lab.output("create", "--name", "made", TINY, "true"))


@only_root
def test_rename_changes_the_name_alone(lab: Lab) -> None:
    identity = lab.start("--name", "web", TINY, "sleep", "1000")
    assert lab.output("rename", "web", "shop") == ""
    assert lab.output("ps", "--no-trunc", "--format", "{{.ID}} {{.Names}}") == f"{identity} shop"
    taken = lab("rename", "shop", "shop/x")
    assert taken.returncode == 1


@only_root
def test_logs_come_by_stream_line_and_time(lab: Lab) -> None:
    lab("run", "--name", "web", TINY, "sh", "-c", "echo one; echo two; sleep 0.1; echo three >&2; printf part")

    done = lab("logs", "web")
    assert (done.stdout, done.stderr) == ("one\ntwo\npart", "three\n")
    assert lab("logs", "-n", "2", "web").stdout == "part"
    assert lab("logs", "--tail", "0", "web").stdout == ""
    assert lab("logs", "--tail", "x", "web").stdout == done.stdout
    assert lab("logs", "--since", "1h", "web").stdout == done.stdout
    assert lab("logs", "--until", "1h", "web").stdout == ""
    stamped = lab.output("logs", "-t", "web").splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ", line) for line in stamped)


@only_root
def test_logs_follow_until_the_end(lab: Lab) -> None:
    lab.start("--name", "web", TINY, "sh", "-c", "echo before; sleep 0.6; echo after")
    done = lab("logs", "-f", "web")
    assert done.stdout == "before\nafter\n"


@only_root
def test_inspect_has_dockers_document(lab: Lab) -> None:
    folder = lab.folder()
    lab.start(
        "--name", "web", "-p", "0:80", "-v", f"{folder}:/t:ro", "-v", "data:/d", "--tmpfs", "/s", "-e", "A=1",
        "--label", "k=v", "--memory", "64m", "--ulimit", "nofile=512:1024", TINY, "sleep", "1000",
    )  # fmt: skip
    (document,) = json.loads(lab.output("inspect", "web"))

    assert FULL_ID.fullmatch(document["Id"])
    assert document["Name"] == "/web"
    assert document["State"]["Status"] == "running"
    assert document["State"]["Pid"] > 0
    assert document["Config"]["Cmd"] == ["sleep", "1000"]
    assert "A=1" in document["Config"]["Env"]
    assert document["Config"]["Labels"] == {"k": "v"}
    assert document["HostConfig"]["Memory"] == 64 << 20
    assert document["HostConfig"]["Ulimits"] == [{"Name": "nofile", "Hard": 1024, "Soft": 512}]
    assert {(mount["Type"], mount["Destination"], mount["RW"]) for mount in document["Mounts"]} == {
        ("bind", "/t", False), ("volume", "/d", True), ("tmpfs", "/s", True),
    }  # fmt: skip
    (port,) = document["NetworkSettings"]["Ports"]["80/tcp"]
    assert port["HostIp"] == "127.0.0.1"
    assert lab.output("port", "web", "80") == f"127.0.0.1:{port['HostPort']}"
    assert lab.output("inspect", "-f", "{{.State.Running}} {{len .Mounts}}", "web") == "true 3"
    assert lab("inspect", "-f", "{{.Name", "web").returncode == 64


@only_root
def test_top_and_stats_show_the_processes(lab: Lab) -> None:
    lab.start("--name", "web", TINY, "sleep", "1000")

    header, *rows = lab.output("top", "web").splitlines()
    assert header.split() == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert any(row.endswith("sleep 1000") for row in rows)
    (row,) = json.loads(lab.output("stats", "--json", "web"))
    assert row["processes"] == len(rows)
    assert row["memory_bytes"] > 0
    assert lab.output("stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}") == f"web {len(rows)}"
    lab.output("stop", "-t", "0", "web")
    assert lab("top", "web").returncode == 1
    assert lab.output("stats", "--no-stream", "--format", "{{.MemUsage}}", "web") == "0B / 0B"


@only_root
def test_prune_removes_what_does_not_run_after_asking(lab: Lab) -> None:
    lab.start("--name", "web", TINY, "sleep", "1000")
    made = lab.output("create", "--name", "made", TINY, "true")

    asked = lab("container", "prune", input="n\n")
    assert "[y/N]" in asked.stdout
    assert lab.status("made") == "created"
    assert made in lab.output("container", "prune", "-f").splitlines()
    assert lab.status("made") == ""
    assert lab.status("web") == "running"


@only_root
def test_ports_that_cannot_be_published_are_told(lab: Lab) -> None:
    made = lab("create", "--network", "host", "-p", "8000:8000", TINY, "true")
    assert made.stderr == "WARNING: Published ports are discarded when using host network mode\n"
    assert lab("create", "--network", "host", TINY, "true").stderr == ""


@only_root
def test_system_prune_says_what_was_a_container_and_what_an_image(lab: Lab) -> None:
    made = lab.output("create", "--name", "made", TINY, "true")
    image = lab.output("commit", "made")

    containers, images, freed = lab.output("system", "prune", "-f").split("\n\n")

    assert containers == f"Deleted Containers:\n{made}"
    assert images == f"Deleted Images:\ndeleted: {image}"
    assert freed.startswith("Total reclaimed space: ")
    assert lab.output("system", "prune", "-f") == "Total reclaimed space: 0B"


def test_volumes_are_made_listed_used_and_removed(lab: Lab) -> None:
    assert lab.output("volume", "create", "--label", "k=v", "one") == "one"
    assert lab.output("volume", "create", "one") == "one"
    assert re.fullmatch(r"[0-9a-f]{64}", lab.output("volume", "create"))
    lab.output("create", "--name", "web", "-v", "two:/d", TINY, "true")
    lab.output("run", "--rm", "-v", "one:/d", TINY, "sh", "-c", "echo hi > /d/file")

    assert lab.output("volume", "ls", "-q", "-f", "name=one").split() == ["one"]
    assert lab.output("volume", "ls", "-f", "label=k", "--format", "{{.Name}} {{.Driver}}") == "one local"
    (document,) = json.loads(lab.output("volume", "inspect", "one"))
    assert document["Labels"] == {"k": "v"}
    assert document["Mountpoint"].endswith("/one/_data")
    assert lab.output("run", "--rm", "-v", "one:/d:ro", TINY, "cat", "/d/file") == "hi"
    assert lab("volume", "rm", "nosuch").stderr == "labbox: get nosuch: no such volume\n"
    pruned = lab.output("volume", "prune", "-f")
    assert "one" not in pruned.split()
    assert lab.output("volume", "rm", "one") == "one"
    assert lab("volume", "create", "a b").returncode == 1


@only_root
def test_a_volume_in_use_stays(lab: Lab) -> None:
    lab.start("--name", "web", "-v", "data:/d", TINY, "sleep", "1000")
    done = lab("volume", "rm", "data")
    assert done.returncode == 1
    assert done.stderr.startswith("labbox: remove data: volume is in use - [")


@only_root
def test_anonymous_volumes_go_with_their_container(lab: Lab) -> None:
    lab.output("run", "--rm", "-v", "/d", TINY, "true")
    wait_until(lambda: lab.output("volume", "ls", "-q") == "", what="the anonymous volume is gone")
    lab("run", "--name", "web", "-v", "/d", TINY, "true")
    assert len(lab.output("volume", "ls", "-q").split()) == 1
    lab.output("rm", "-v", "web")
    assert lab.output("volume", "ls", "-q") == ""


@only_root
def test_several_containers_stop_in_the_time_of_one(lab: Lab) -> None:
    names = ["one", "two", "three"]
    for name in names:
        lab.start("--name", name, TINY, "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    started = time.monotonic()
    assert lab.output("stop", "-t", "2", *names).split() == names
    assert 2 <= time.monotonic() - started < 5


@only_root
def test_ports_are_shared_only_when_asked_to(lab: Lab) -> None:
    lab.start("--name", "own", "-p", "80", "--expose", "90", "-P", TINY, "sleep", "1000")
    lab.start("--name", "open", "-p", "80", "--expose", "90", "-P", "--share", TINY, "sleep", "1000")

    own, shared = (json.loads(lab.output("port", "--json", name)) for name in ("own", "open"))
    assert [(port["container_port"], port["host_address"], port["shared"]) for port in own] == [
        (80, "127.0.0.1", False), (90, "127.0.0.1", False),
    ]  # fmt: skip
    assert [(port["container_port"], port["host_address"], port["shared"]) for port in shared] == [
        (80, "0.0.0.0", True), (90, "0.0.0.0", True),
    ]  # fmt: skip
    assert all(port["host_port"] for port in (*own, *shared))
