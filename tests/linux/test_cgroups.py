"""Control groups: plans for both versions, and the kernel's own limits where this machine lets us."""

import os
from pathlib import Path

import pytest

from harness.networks import STRANGER, become
from labbox.engine.embedded import limits
from labbox.engine.specification import Resources
from labbox.errors import UnsupportedError, UsageError
from labbox.linux import cgroups
from labbox.linux.cgroups import Group, Hierarchy, Limits, NoGroupError, Setting
from labbox.linux.idmap import run_forked

pytestmark = pytest.mark.timeout(60)
MIB = 1 << 20
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="control groups of this machine belong to root")


def test_limits_have_their_names_in_version_2() -> None:
    settings = cgroups.plan_settings(Limits(memory_bytes=MIB, cpus=1.5, pids=64), 2)
    assert settings == [
        Setting("memory", "memory.max", "1048576"),
        Setting("memory", "memory.swap.max", "1048576", optional=True),
        Setting("cpu", "cpu.max", "150000 100000"),
        Setting("pids", "pids.max", "64"),
    ]


def test_limits_have_their_names_in_version_1() -> None:
    settings = cgroups.plan_settings(Limits(memory_bytes=MIB, memory_swap_bytes=MIB, cpus=0.25), 1)
    assert settings == [
        Setting("memory", "memory.limit_in_bytes", "1048576"),
        Setting("memory", "memory.memsw.limit_in_bytes", "1048576", optional=True),
        Setting("cpu", "cpu.cfs_period_us", "100000"),
        Setting("cpu", "cpu.cfs_quota_us", "25000"),
    ]


@pytest.mark.parametrize(("total", "version", "value"), [(-1, 2, "max"), (-1, 1, "-1"), (3 * MIB, 2, str(2 * MIB))])
def test_swap_is_counted_with_memory_as_docker_does(total: int, version: int, value: str) -> None:
    settings = cgroups.plan_settings(Limits(memory_bytes=MIB, memory_swap_bytes=total), version)
    assert settings[1].value == value


def test_no_limits_need_no_files() -> None:
    assert cgroups.plan_settings(Limits(), 2) == []
    assert cgroups.plan_settings(Limits(), 1) == []


def test_hierarchies_of_a_hybrid_host_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("hugetlb misc\n")
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(
        "30 25 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        f"32 25 0:28 / {tmp_path} rw - cgroup2 cgroup2 rw\n"
        "33 25 0:29 / / rw - ext4 /dev/sda rw\n"
    )
    own = tmp_path / "cgroup"
    own.write_text("2:memory:/user.slice\n1:cpu,cpuacct:/\n0::/init.scope\n")
    assert cgroups.read_hierarchies(str(mountinfo), str(own)) == [
        Hierarchy(1, frozenset({"memory"}), "/sys/fs/cgroup/memory", "/user.slice"),
        Hierarchy(1, frozenset({"cpu", "cpuacct"}), "/sys/fs/cgroup/cpu,cpuacct", "/"),
        Hierarchy(2, frozenset({"hugetlb", "misc"}), str(tmp_path), "/init.scope"),
    ]


def test_usage_of_version_2_is_read_as_docker_counts_it(tmp_path: Path) -> None:
    texts = {
        "memory.current": "5000",
        "memory.max": "max",
        "memory.stat": "anon 1000\ninactive_file 2000\n",
        "cpu.stat": "usage_usec 77\nuser_usec 1\n",
        "pids.current": "3",
        "memory.events": "oom 2\noom_kill 1\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    groups = [Group(2, frozenset({"memory", "cpu", "pids"}), str(tmp_path))]
    assert cgroups.read_usage(groups) == cgroups.Usage(3000, None, 77_000, 3)
    assert cgroups.count_oom_kills(groups) == 1


def test_a_missing_controller_is_named() -> None:
    with pytest.raises(NoGroupError, match="no memory control group controller"):
        cgroups.make_groups("x", Limits(memory_bytes=MIB), [Hierarchy(1, frozenset({"cpu"}), "/nowhere", "/")])


@needs_root
def test_version_1_is_refused_to_ordinary_users_with_the_reason() -> None:
    def attempt() -> str:
        try:
            cgroups.make_groups("x", Limits(pids=5), [Hierarchy(1, frozenset({"pids"}), "/sys/fs/cgroup/pids", "/")])
        except NoGroupError as error:
            return error.reason
        return ""

    assert "version 1, which only root may use" in run_forked(lambda: become(STRANGER), attempt)


@needs_root
def test_a_group_of_version_2_is_made_beside_a_users_own_one(tmp_path: Path) -> None:
    slice_folder = tmp_path / "user.slice" / "app.slice"
    (slice_folder / "own.scope").mkdir(parents=True)
    (slice_folder / "cgroup.procs").write_text("")
    (slice_folder / "cgroup.controllers").write_text("cpu memory pids")
    (slice_folder / "cgroup.subtree_control").write_text("cpu memory pids")
    for path in (slice_folder, *slice_folder.iterdir()):
        os.chown(path, STRANGER, STRANGER)
    for parent in slice_folder.parents:
        if parent.name.startswith(("pytest-", "test_", "user.slice")) or parent == tmp_path:
            parent.chmod(0o755)
    hierarchy = Hierarchy(2, frozenset({"cpu", "memory", "pids"}), str(tmp_path), "/user.slice/app.slice/own.scope")

    def attempt() -> str:
        with pytest.raises(NoGroupError, match=r"pids\.max"):  # a plain folder has no such file
            cgroups.make_groups("labbox-x", Limits(pids=5), [hierarchy])
        with pytest.raises(NoGroupError, match="not delegated"):
            cgroups.make_groups(
                "labbox-x", Limits(pids=5), [hierarchy._replace(own_group="/other.slice/session.scope")]
            )
        return "done"

    assert run_forked(lambda: become(STRANGER), attempt) == "done"


@needs_root
def test_the_kernel_kills_what_needs_more_memory_and_counts_it() -> None:
    made = limits.make_limits(f"test{os.getpid()}", Resources(memory_bytes=32 * MIB, memory_swap_bytes=32 * MIB))

    def join() -> None:
        for path in made.join_files:
            Path(path).write_text(str(os.getpid()), encoding="ascii")

    try:
        child = os.fork()
        if child == 0:
            join()
            bytearray(100 * MIB)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 9
        assert made.was_out_of_memory()
        assert not made.was_out_of_memory()
    finally:
        made.close()
    assert not any(os.path.exists(os.path.dirname(path)) for path in made.join_files)


@needs_root
def test_a_process_finds_its_groups_again_and_what_they_use() -> None:
    name = f"test{os.getpid()}"
    made = limits.make_limits(name, Resources(memory_bytes=64 * MIB, cpus=0.5, pids=7))

    def join_and_look() -> tuple[list[str], cgroups.Usage | None]:
        for path in made.join_files:
            Path(path).write_text(str(os.getpid()), encoding="ascii")
        return sorted(limits.join_files_of(name, os.getpid())), limits.usage_of(name, os.getpid())

    try:
        join_files, usage = run_forked(lambda: None, join_and_look)
    finally:
        made.close()
    assert join_files == sorted(made.join_files)
    assert usage is not None
    assert usage.memory_limit_bytes == 64 * MIB
    assert usage.pids == 1


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        (Resources(memory_bytes=MIB), "Minimum memory limit allowed is 6MB"),
        (Resources(memory_bytes=8 * MIB, memory_swap_bytes=7 * MIB), "larger than memory limit"),
        (Resources(memory_swap_bytes=8 * MIB), "always set the Memory limit"),
        (Resources(cpus=4096.0), "range of CPUs is from 0.01 to"),
    ],
)
def test_senseless_limits_are_refused_in_dockers_words(resources: Resources, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        limits.make_limits("x", resources)


def test_support_is_described_by_trying() -> None:
    supported, text, fix = limits.describe_support()
    assert text
    assert supported == (not fix)


@needs_root
def test_limits_that_cannot_be_had_name_their_flags_and_docker_exit_code() -> None:
    def attempt() -> tuple[str, int]:
        try:
            limits.make_limits("x", Resources(memory_bytes=64 * MIB, pids=3))
        except UnsupportedError as error:
            return error.message, error.exit_code
        return "", 0

    message, code = run_forked(lambda: become(STRANGER), attempt)
    assert message.startswith("cannot enforce --memory --pids-limit: ")
    assert code == 125
