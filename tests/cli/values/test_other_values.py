from pathlib import Path

import pytest

from labbox.cli.values.environment import check_variable, read_environment, read_variable_file
from labbox.cli.values.gpus import parse_gpus
from labbox.cli.values.labels import collect_labels, parse_annotation, parse_label
from labbox.cli.values.limits import check_resources, parse_cpus, parse_swap, parse_ulimit
from labbox.cli.values.networks import parse_dns, parse_extra_host, parse_network
from labbox.cli.values.restart import parse_restart
from labbox.cli.values.security import parse_security
from labbox.engine.specification import GpuRequest, Resources, RestartPolicy, Security, Ulimit
from labbox.errors import UsageError


def test_variables_come_from_files_flags_and_this_process(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("# comment\n\nA=1\nB=two words\r\n  C=x\nHOST\nUNSET\n")
    given = read_environment(["D=4", "HOST", "UNSET"], [str(path)], {"HOST": "h"})
    assert given == ["A=1", "B=two words", "C=x", "HOST=h", "D=4", "HOST=h"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"A b=c\n", "variable 'A b' contains whitespaces"),
        (b"=c\n", "no variable name on line '=c'"),
        (b"ok=1\n\xff=c\n", "invalid utf8 bytes at line 2"),
    ],
)
def test_a_bad_env_file_is_refused_in_dockers_words(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "env"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_variable_file(str(path))
    assert caught.value.message == f"invalid env file ({path}): {message}"


def test_a_missing_env_file_is_named() -> None:
    with pytest.raises(UsageError, match="open /nonexistent: no such file or directory"):
        read_variable_file("/nonexistent")


@pytest.mark.parametrize("text", ["", "=x"])
def test_a_variable_needs_a_name(text: str) -> None:
    with pytest.raises(UsageError, match=f"invalid environment variable: {text}"):
        check_variable(text)


def test_labels_of_flags_win_over_those_of_files(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_text("a=1\nb=2\n")
    assert collect_labels([str(path)], [("b", "3"), ("c", "")]) == (("a", "1"), ("b", "3"), ("c", ""))
    assert parse_label("b") == ("b", "")
    with pytest.raises(UsageError, match="invalid label '=x': empty name"):
        parse_label("=x")
    with pytest.raises(UsageError, match="invalid annotation 'x': must be key=value"):
        parse_annotation("x")


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("nofile=1024", Ulimit("nofile", 1024, 1024)),
        ("nofile=5:6", Ulimit("nofile", 5, 6)),
        ("core=-1", Ulimit("core", -1, -1)),
        ("stack=5:-1", Ulimit("stack", 5, -1)),
    ],
)
def test_ulimits_are_read(text: str, limit: Ulimit) -> None:
    assert parse_ulimit(text) == limit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "invalid ulimit argument: x"),
        ("foo=1", "invalid ulimit type: foo"),
        ("nofile=5:3", "ulimit soft limit must be less than or equal to hard limit: 5 > 3"),
        ("nofile=-1:3", "ulimit soft limit must be less than or equal to hard limit: -1 > 3"),
        ("nofile=a", 'strconv.ParseInt: parsing "a": invalid syntax'),
        ("nofile=1:2:3", "too many limit value arguments - 1:2:3, can only have up to two, `soft[:hard]`"),
    ],
)
def test_a_bad_ulimit_is_refused_in_dockers_words(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_ulimit(text)
    assert caught.value.message == message


def test_processors_are_a_number_or_a_fraction() -> None:
    assert parse_cpus("1.5") == 1.5
    assert parse_cpus("3/2") == 1.5
    for text in ("x", "-1", "nan", "inf", "1/0", ""):
        with pytest.raises(UsageError, match=f"failed to parse {text} as a rational number"):
            parse_cpus(text)


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        (Resources(memory_bytes=1024), "Minimum memory limit allowed is 6MB"),
        (
            Resources(memory_swap_bytes=5),
            "You should always set the Memory limit when using Memoryswap limit, see usage",
        ),
        (
            Resources(memory_bytes=9 << 20, memory_swap_bytes=8 << 20),
            "Minimum memoryswap limit should be larger than memory limit, see usage",
        ),
        (Resources(cpus=1000.0), "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
    ],
)
def test_limits_that_cannot_be_are_refused_in_dockers_words(resources: Resources, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_resources(resources, 2)
    assert caught.value.message == message


def test_swap_may_be_unlimited() -> None:
    assert parse_swap("-1") == -1
    assert parse_swap("1g") == 1 << 30


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("all", GpuRequest(-1)),
        ("2", GpuRequest(2)),
        ("count=3", GpuRequest(3)),
        ("device=0", GpuRequest(0, ("0",))),
        ('"device=0,1"', GpuRequest(0, ("0", "1"))),
        ('"device=0,1",driver=nvidia,"capabilities=gpu,utility"', GpuRequest(0, ("0", "1"))),
        ("capabilities=gpu", GpuRequest(1)),
    ],
)
def test_gpus_are_read(text: str, request_: GpuRequest) -> None:
    assert parse_gpus(text) == request_


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo", 'invalid count (foo): value must be either "all" or an integer: invalid syntax'),
        ("device=0,foo", 'invalid count (foo): value must be either "all" or an integer: invalid syntax'),
        ("all,device=0", "cannot set both Count and DeviceIDs on device request"),
        ("count=1,count=2", "gpu request key 'count' can be specified only once"),
        ("foo=1", "unexpected key 'foo' in 'foo=1'"),
    ],
)
def test_bad_gpus_are_refused_in_dockers_words(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_gpus(text)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("", RestartPolicy("no")),
        ("no", RestartPolicy("no")),
        ("always", RestartPolicy("always")),
        ("unless-stopped", RestartPolicy("unless-stopped")),
        ("on-failure", RestartPolicy("on-failure")),
        ("on-failure:3", RestartPolicy("on-failure", 3)),
    ],
)
def test_restart_policies_are_read(text: str, policy: RestartPolicy) -> None:
    assert parse_restart(text) == policy


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo", "invalid restart policy 'foo'"),
        ("on-failure:x", "invalid restart policy format: maximum retry count must be an integer"),
        ("always:3", "maximum retry count cannot be used with restart policy 'always'"),
        ("on-failure:-1", "maximum retry count cannot be negative"),
    ],
)
def test_a_bad_restart_policy_is_refused_in_dockers_words(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_restart(text)
    assert caught.value.message == message


def test_security_options_are_read(tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    profile.write_text("{}")
    options = [
        "no-new-privileges",
        f"seccomp={profile}",
        "systempaths=unconfined",
        "apparmor=unconfined",
        "label:disable",
    ]
    security = parse_security(options, privileged=False, cap_add=["cap_net_admin"], cap_drop=["all"])
    assert security == Security(
        cap_add=("NET_ADMIN",), cap_drop=("ALL",), no_new_privileges=True, seccomp="{}", unmask_system_paths=True
    )


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("foo", 'Invalid --security-opt: "foo"'),
        ("foo=bar", 'Invalid --security-opt: "foo=bar"'),
        ("seccomp", 'Invalid --security-opt: "seccomp"'),
        (
            "seccomp=/nonexistent",
            "opening seccomp profile (/nonexistent) failed: open /nonexistent: no such file or directory",
        ),
        ("apparmor=mine", "labbox sets no apparmor profile: --security-opt apparmor=mine"),
    ],
)
def test_a_bad_security_option_is_refused(option: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_security([option], privileged=False, cap_add=[], cap_drop=[])
    assert caught.value.message == message


def test_networks_are_dockers_names() -> None:
    assert [parse_network(name) for name in ("", "bridge", "default", "host", "none")] == [
        "auto", "auto", "auto", "host", "none",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="network nosuch not found"):
        parse_network("nosuch")
    with pytest.raises(UsageError, match="cannot join another container's network"):
        parse_network("container:web")


@pytest.mark.parametrize(
    ("text", "entry"),
    [("a:1.2.3.4", "a:1.2.3.4"), ("a=::1", "a:::1"), ("a:[::1]", "a:::1"), ("a:host-gateway", "a:host-gateway")],
)
def test_extra_hosts_are_read(text: str, entry: str) -> None:
    assert parse_extra_host(text) == entry


def test_bad_hosts_and_servers_are_refused_in_dockers_words() -> None:
    with pytest.raises(UsageError, match='bad format for add-host: "foo"'):
        parse_extra_host("foo")
    with pytest.raises(UsageError, match='invalid IP address in add-host: "bar"'):
        parse_extra_host("foo:bar")
    with pytest.raises(UsageError, match="IP address is not correctly formatted: foo"):
        parse_dns("foo")
    assert parse_dns("1.1.1.1") == "1.1.1.1"
