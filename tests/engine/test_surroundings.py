"""What a command finds around it: environment, working folder, host name, files in /etc, limits."""

import os

import pytest

from harness.laboratory import TINY, Lab


def test_the_environment_is_what_is_given_and_nothing_of_the_host(lab: Lab) -> None:
    names = {
        line.split("=")[0] for line in lab.shell("env", "-e", "ONE=1", environment={"SECRET_OF_HOST": "x"}).splitlines()
    }

    assert {"PATH", "HOSTNAME", "HOME", "ONE"} <= names
    assert names <= {"PATH", "HOSTNAME", "HOME", "ONE", "PWD", "SHLVL", "OLDPWD", "APT_CONFIG", "_"}


def test_a_variable_without_value_is_taken_from_the_caller(lab: Lab) -> None:
    shown = lab.shell("echo $PASSED-$UNSET", "-e", "PASSED", "-e", "UNSET", environment={"PASSED": "on"})

    assert shown == "on-"


def test_variables_come_from_a_file(lab: Lab) -> None:
    path = lab.write("env", "# comment\nA=from file\nB=two\n\nPASSED\n")

    assert lab.shell("echo $A,$B,$PASSED", "--env-file", path, "-e", "B=three", environment={"PASSED": "on"}) == (
        "from file,three,on"
    )


def test_the_working_folder_is_made_and_entered(lab: Lab) -> None:
    assert lab.shell("pwd", "-w", "/new/deep/folder") == "/new/deep/folder"


def test_a_working_folder_that_is_a_file_is_refused(lab: Lab) -> None:
    assert lab.run("-w", "/etc/passwd", TINY, "true").returncode in {125, 126, 127}


def test_the_host_name_is_given_or_the_start_of_the_id(lab: Lab) -> None:
    assert lab.shell("hostname; cat /etc/hostname; echo $HOSTNAME", "-h", "box").split() == ["box"] * 3

    name = lab.start("--name", "named", TINY, "sleep", "1000")
    assert lab.output("exec", "named", "hostname") == name[:12]


def test_etc_hosts_names_the_host_itself(lab: Lab) -> None:
    shown = lab.shell("cat /etc/hosts", "-h", "box", "--add-host", "other:10.1.2.3")

    assert any(line.split()[0] == "127.0.0.1" and "localhost" in line for line in shown.splitlines())
    assert any("box" in line.split()[1:] for line in shown.splitlines() if line)
    assert "10.1.2.3\tother" in shown


def test_resolv_conf_names_a_server_that_is_not_the_hosts_loopback(lab: Lab) -> None:
    servers = [
        line.split()[1] for line in lab.shell("cat /etc/resolv.conf").splitlines() if line.startswith("nameserver")
    ]

    assert servers
    assert not any(server.startswith("127.") for server in servers)


def test_resolv_conf_can_be_given(lab: Lab) -> None:
    shown = lab.shell(
        "cat /etc/resolv.conf", "--dns", "192.0.2.53", "--dns-search", "example.org", "--dns-option", "ndots:3"
    )

    assert [line for line in shown.splitlines() if line] == [
        "search example.org", "nameserver 192.0.2.53", "options ndots:3",
    ] or {"search example.org", "nameserver 192.0.2.53", "options ndots:3"} <= set(shown.splitlines())  # fmt: skip


def test_what_the_container_writes_into_its_etc_files_stays_its_own(lab: Lab) -> None:
    with open("/etc/hosts", encoding="utf-8") as file:
        before = file.read()

    lab.shell("echo 1.2.3.4 spoiled >> /etc/hosts")

    with open("/etc/hosts", encoding="utf-8") as file:
        assert file.read() == before


@pytest.mark.parametrize(
    ("flag", "script", "shown"),
    [
        ("nofile=123:456", "ulimit -Sn; ulimit -Hn", ["123", "456"]),
        ("core=0", "ulimit -c", ["0"]),
        ("nproc=777:777", "grep processes /proc/self/limits | tr -dc '0-9 '", ["777", "777"]),
    ],
)
def test_ulimits_are_set(lab: Lab, flag: str, script: str, shown: list[str]) -> None:
    assert lab.shell(script, "--ulimit", flag).split() == shown


def test_labels_and_annotations_are_kept(lab: Lab) -> None:
    lab.output("create", "--name", "box", "--label", "a=b", "--label", "bare", TINY, "true")

    assert lab.output("ps", "-a", "--filter", "label=a=b", "--format", "{{.Names}}") == "box"
    assert lab.output("ps", "-a", "--filter", "label=missing", "--format", "{{.Names}}") == ""


def test_the_umask_is_dockers(lab: Lab) -> None:
    assert lab.shell("umask") == "0022"


def test_every_namespace_is_the_containers_own(lab: Lab) -> None:
    script = "for n in ipc mnt net pid uts cgroup; do echo $n $(readlink /proc/self/ns/$n); done"

    shown = dict(line.split() for line in lab.shell(script).splitlines())

    assert all(shown[name] != os.readlink(f"/proc/self/ns/{name}") for name in shown)


def test_with_the_hosts_network_the_devices_are_the_hosts(lab: Lab) -> None:
    with open("/proc/net/dev", encoding="ascii") as file:
        mine = {line.split(":")[0].strip() for line in file if ":" in line}

    inside = lab.shell("cat /proc/net/dev", "--network", "host")

    assert {line.split(":")[0].strip() for line in inside.splitlines() if ":" in line} == mine


def test_without_network_there_is_the_loopback_device_alone_and_it_is_up(lab: Lab) -> None:
    shown = lab.shell("ls /sys/class/net; ping -c 1 -w 2 127.0.0.1 >/dev/null && echo up", "--network", "none")

    assert set(shown.split()) - {"sit0", "tunl0", "ip6tnl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0"} == {
        "lo",
        "up",
    }
