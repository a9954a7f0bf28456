"""A container's root against labbox's own processes and against the kernel."""

import os

import pytest

from harness.laboratory import HOST_PROGRAMS, TINY, Lab
from harness.modes import only_root
from harness.waiting import wait_until

PYTHON = "/usr/bin/python3"


@pytest.mark.parametrize("signal_name", ["KILL", "TERM", "STOP", "SEGV", "HUP", "USR1"])
def test_signals_to_process_one_from_inside_do_not_kill_it(lab: Lab, signal_name: str) -> None:
    # What process 1 passes on to the command is ignored there, where it can be.
    ignored = "USR2" if signal_name in {"KILL", "STOP"} else signal_name

    assert lab.shell(f"trap '' {ignored}; kill -{signal_name} 1; sleep 0.1; echo alive") == "alive"


def test_killing_everything_kills_the_container_only(lab: Lab) -> None:
    lab.start("--name", "other", TINY, "sleep", "1000")
    lab.start("--name", "box", TINY, "sh", "-c", "kill -9 -1; kill -9 1; sleep 1000")

    assert lab.output("exec", "other", "echo", "alive") == "alive"
    lab.output("rm", "-f", "box")


def test_only_the_containers_processes_are_visible(lab: Lab) -> None:
    shown = lab.shell("ls -d /proc/[0-9]* | wc -l; cat /proc/[0-9]*/cmdline | tr '\\0' ' '")

    assert int(shown.split()[0]) <= 6
    assert lab.home not in shown
    assert "monitor" not in shown


def test_process_one_cannot_be_looked_into(lab: Lab) -> None:
    names = "mem environ fd/0 maps exe cwd/etc root/etc ns/mnt"
    script = f"for n in {names}; do cat /proc/1/$n || ls /proc/1/$n/ || readlink /proc/1/$n; done 2>/dev/null; true"

    assert lab.shell(script) == ""


def test_process_one_cannot_be_traced(lab: Lab) -> None:
    program = (
        "import ctypes\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "for request in (16, 0x4206):\n"  # PTRACE_ATTACH, PTRACE_SEIZE
        "    print(libc.ptrace(request, 1, 0, 0), ctypes.get_errno())\n"
    )
    assert lab.output("run", "--rm", *HOST_PROGRAMS, TINY, PYTHON, "-I", "-c", program).split() == ["-1", "1"] * 2


def test_a_process_that_joins_cannot_be_caught(lab: Lab) -> None:
    """CVE-2016-9962: while `exec` enters, the container's root tries to read the descriptors of the newcomer."""
    script = (
        "while :; do for p in /proc/[0-9]*; do ls -l $p/fd | grep -v 'proc\\|pipe\\|null\\|/dev/pts\\| sh';"
        " readlink $p/cwd $p/root; done; done 2>/dev/null"
    )
    lab.start("--name", "catcher", TINY, "sh", "-c", script)

    for _ in range(8):
        lab.output("exec", "catcher", "true")

    caught = lab("logs", "catcher").stdout
    assert lab.home not in caught
    assert ".sock" not in caught


PRIVILEGED_ACTS = (
    "mount -o remount,rw /proc/sys",
    "mount -t proc proc /tmp",
    "mount -o remount,rw /sys",
    "umount /proc/kcore",
    "umount /sys/firmware",
    "mount --bind / /tmp",
    "mount -t tmpfs none /tmp",
    "hostname other",
    "ip link add dummy0 type dummy",
    "nsenter -t 1 -m true",
    "unshare -r true",
    "unshare -m true",
    "swapon /dev/null",
    "reboot -f",
    "! date -s 2001-01-01 2>&1 | grep -q 'not permitted'",
    "chroot /proc/1/root true",
    "dmesg",
)


def test_privileged_acts_are_refused(lab: Lab) -> None:
    script = "\n".join(f'({act}) >/dev/null 2>&1 && echo "{act}"' for act in PRIVILEGED_ACTS)

    assert lab.shell(f"{script}\ntrue") == ""


def test_no_mount_point_of_the_host_is_left_in_the_container(lab: Lab) -> None:
    points = {line.split()[4] for line in lab.shell("cat /proc/self/mountinfo").splitlines()}

    assert all(
        point == "/" or point.startswith(("/proc", "/sys", "/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"))
        for point in points
    ), points


def test_mounts_of_a_privileged_container_stay_in_it(lab: Lab) -> None:
    folder = lab.folder("privileged")
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        before = file.read()

    lab.shell("mount -t tmpfs none /w && touch /w/hidden", "--privileged", "-v", f"{folder}:/w")

    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        assert file.read() == before
    assert os.listdir(folder) == []


@only_root
def test_the_kernels_core_pattern_cannot_be_changed(lab: Lab) -> None:
    with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as file:
        before = file.read()

    lab.run(TINY, "sh", "-c", "echo '|/evil' > /proc/sys/kernel/core_pattern")

    with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as file:
        assert file.read() == before


def test_the_monitors_socket_cannot_be_found_inside(lab: Lab) -> None:
    assert lab.shell("find / -xdev -name '*.sock' 2>/dev/null; ls /etc/../../../..").find("sock") == -1


def test_a_flood_of_output_stays_bounded_in_the_monitor(lab: Lab) -> None:
    lab.start("--name", "flood", TINY, "sh", "-c", "head -c 67108864 /dev/zero; echo; echo end; sleep 1000")
    wait_until(lambda: "end" in lab("logs", "--tail", "1", "flood").stdout, timeout_seconds=50)

    with open(f"/proc/{lab.record('flood')['monitor_pid']}/status", encoding="ascii") as file:
        peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    assert peak < 64 * 1024
