"""What the command may not do: capabilities, system calls, masked paths, descriptors."""

import os

import pytest

from harness.laboratory import HOST_PROGRAMS, TINY, Lab
from harness.modes import many_ids, only_root

DOCKER_CAPABILITIES = 0x00000000A80425FB  # docker's default set of 14
# socket(2) families and system calls are tried by the host's Python inside the container.
PYTHON = "/usr/bin/python3"


def _status(lab: Lab, *flags: str) -> dict[str, str]:
    lines = lab.shell("cat /proc/self/status", *flags).splitlines()
    return {line.split(":")[0]: line.split(":")[1].strip() for line in lines}


def _capabilities(lab: Lab, *flags: str) -> dict[str, int]:
    return {name: int(value, 16) for name, value in _status(lab, *flags).items() if name.startswith("Cap")}


def test_the_capabilities_are_dockers_fourteen(lab: Lab) -> None:
    shown = _capabilities(lab)

    assert shown["CapEff"] == shown["CapPrm"] == shown["CapBnd"] == DOCKER_CAPABILITIES
    assert shown["CapInh"] == shown["CapAmb"] == 0


@pytest.mark.parametrize(
    ("flags", "mask"),
    [
        (["--cap-drop", "ALL"], 0),
        (["--cap-drop", "all", "--cap-add", "CHOWN"], 1),
        (["--cap-drop", "CAP_CHOWN"], DOCKER_CAPABILITIES & ~1),
        (["--cap-add", "SYS_PTRACE"], DOCKER_CAPABILITIES | 1 << 19),
        (["--cap-add", "cap_net_admin"], DOCKER_CAPABILITIES | 1 << 12),
    ],
    ids=str,
)
def test_capabilities_are_added_and_dropped(lab: Lab, flags: list[str], mask: int) -> None:
    shown = _capabilities(lab, *flags)

    assert (shown["CapEff"], shown["CapBnd"], shown["CapInh"]) == (mask, mask, 0)


def test_a_filter_is_in_force_and_new_privileges_are_dockers_default(lab: Lab) -> None:
    status = _status(lab)

    assert status["Seccomp"] == "2"
    assert status["NoNewPrivs"] == "0"


def test_new_privileges_can_be_refused(lab: Lab) -> None:
    assert _status(lab, "--security-opt", "no-new-privileges")["NoNewPrivs"] == "1"


def test_the_filter_can_be_left_out(lab: Lab) -> None:
    expected = "2" if lab.mode == "single" else "0"  # with one id a filter of another kind keeps owners

    assert _status(lab, "--security-opt", "seccomp=unconfined")["Seccomp"] == expected


# A system call and the errors that refuse it. Numbers are those of x86_64.
REFUSED = {
    "socket.socket(38, socket.SOCK_SEQPACKET, 0)": {"EPERM", "EAFNOSUPPORT", "EACCES"},  # AF_ALG
    "socket.socket(40, socket.SOCK_STREAM, 0)": {"EPERM", "EAFNOSUPPORT", "EACCES"},  # AF_VSOCK
    "call(272, 0x10000000)": {"EPERM"},  # unshare(CLONE_NEWUSER)
    "call(272, 0x00020000)": {"EPERM"},  # unshare(CLONE_NEWNS)
    "call(250, 0, 0, 0, 0, 0)": {"EPERM"},  # keyctl
    "call(248, 0, 0, 0, 0)": {"EPERM"},  # add_key
    "call(246, 0, 0, 0, 0)": {"EPERM"},  # kexec_load
    "call(169, 0xfee1dead, 672274793, 0, 0)": {"EPERM"},  # reboot
    "call(165, 0, 0, 0, 0, 0)": {"EPERM"},  # mount
    "call(155, 0, 0)": {"EPERM"},  # pivot_root
    "call(175, 0, 0, 0)": {"EPERM"},  # init_module
    "call(321, 0, 0, 0)": {"EPERM"},  # bpf
    "call(298, 0, 0, -1, -1, 0)": {"EPERM"},  # perf_event_open
    "call(435, 0, 0)": {"ENOSYS"},  # clone3: glibc falls back
    "call(425, 8, 0)": {"EPERM"},  # io_uring_setup
    "call(308, 0, 0)": {"EPERM"},  # setns
    "call(323, 0)": {"EPERM"},  # userfaultfd
    "call(428, -100, b'/', 0)": {"EPERM"},  # open_tree
    "call(9999)": {"ENOSYS"},  # a system call that does not exist yet
}
TRY_CALLS = f"""\
import ctypes, errno, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    if libc.syscall(*arguments) < 0: raise OSError(ctypes.get_errno(), "")
for text in {list(REFUSED)!r}:
    try:
        eval(text)
    except OSError as error:
        print(errno.errorcode[error.errno])
    else:
        print("allowed")
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="system call numbers are those of x86_64")
def test_dangerous_calls_are_refused(lab: Lab) -> None:
    answers = lab.output("run", "--rm", *HOST_PROGRAMS, TINY, PYTHON, "-I", "-c", TRY_CALLS).split()

    assert len(answers) == len(REFUSED)
    faults = {
        call: answer for (call, errors), answer in zip(REFUSED.items(), answers, strict=True) if answer not in errors
    }
    assert not faults


@pytest.mark.parametrize("path", ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/interrupts"])
def test_a_masked_file_reads_as_empty(lab: Lab, path: str) -> None:
    assert lab.shell(f"test ! -e {path} || cat {path} | wc -c") in {"", "0"}


@pytest.mark.parametrize("path", ["/proc/acpi", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"])
def test_a_masked_folder_is_empty(lab: Lab, path: str) -> None:
    assert lab.shell(f"ls -A {path} 2>/dev/null || true") == ""


@pytest.mark.parametrize("path", ["/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity"])
def test_kernel_settings_cannot_be_written(lab: Lab, path: str) -> None:
    done = lab.run(TINY, "sh", "-c", f"echo 1 > {path}")

    assert done.returncode != 0
    assert "Read-only file system" in done.stderr or "nonexistent" in done.stderr or "Permission" in done.stderr


@pytest.mark.parametrize("path", ["/sys", "/sys/fs/cgroup"])
def test_sys_is_read_only(lab: Lab, path: str) -> None:
    lines = [line.split() for line in lab.shell("cat /proc/self/mountinfo").splitlines()]

    options = [fields[5] for fields in lines if fields[4] == path]
    assert all("ro" in option.split(",") for option in options)


def test_only_the_three_standard_descriptors_are_open(lab: Lab) -> None:
    assert lab.shell("ls /proc/$$/fd; true").split() == ["0", "1", "2"]


def test_no_descriptor_leaks_without_init_either(lab: Lab) -> None:
    shown = lab.output("run", "--rm", "--no-init", TINY, "ls", "/proc/self/fd").split()

    assert shown == ["0", "1", "2", "3"]  # 3: the folder that ls reads


def test_process_one_has_no_descriptors_of_the_host(lab: Lab) -> None:
    lab.start("--name", "box", TINY, "sleep", "1000")
    pid = lab.record("box")["pid"]
    if os.geteuid() != 0:
        pytest.skip("looking into process 1 needs root")
    links = {os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")}
    assert links == {"/dev/null"}


def test_the_devices_are_the_harmless_ones(lab: Lab) -> None:
    shown = set(lab.shell("ls /dev").split())

    assert shown <= {
        "core", "fd", "full", "labbox", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout",
        "tty", "urandom", "zero", "console",
    }  # fmt: skip
    assert {"full", "null", "ptmx", "pts", "random", "shm", "tty", "urandom", "zero"} <= shown


@many_ids
def test_devices_cannot_be_made(lab: Lab) -> None:
    done = lab.run(TINY, "sh", "-c", "mknod /tmp/disk b 8 0 && cat /tmp/disk")

    assert done.returncode != 0


@only_root
def test_privileged_gives_everything_to_the_real_root(lab: Lab) -> None:
    shown = _capabilities(lab, "--privileged")

    with open("/proc/self/status", encoding="ascii") as file:
        mine = next(int(line.split()[1], 16) for line in file if line.startswith("CapPrm"))
    assert shown["CapEff"] == mine
    assert _status(lab, "--privileged")["Seccomp"] == "0"


def test_privileged_can_mount(lab: Lab) -> None:
    assert lab.shell("mount -t tmpfs none /tmp && echo mounted", "--privileged") == "mounted"


@many_ids
def test_setuid_programs_work_as_under_docker_and_not_with_no_new_privileges(lab: Lab) -> None:
    script = "cp /usr/bin/id /home/id && chmod 4755 /home/id && busybox su -s /bin/sh developer -c '/home/id -u'"

    assert lab.shell(script, *HOST_PROGRAMS) == "0"
    assert lab.shell(script, *HOST_PROGRAMS, "--security-opt", "no-new-privileges") == "1000"
