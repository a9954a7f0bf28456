"""The same command lines through a real Docker Engine and labbox: same exit codes, output and confinement.

labbox runs as root here: what the other modes cannot give is not docker's to tell.
"""

import os
import re
from collections.abc import Callable
from typing import NamedTuple

import pytest

from harness.dockerd import Docker
from harness.laboratory import TINY, Lab
from harness.modes import only_root

RUN = ("run", "--rm", "--network", "none")


def _same(text: str) -> str:
    return text


def _sorted_lines(text: str) -> str:
    return "\n".join(sorted(text.split("\n")))


def _without_numbers(text: str) -> str:
    """What differs from run to run: ids, namespaces, device numbers."""
    return re.sub(r"[0-9a-f]{12,64}|\d+", "N", text)


def _listed_devices(text: str) -> str:
    """Without what is labbox's own, and without the link that dangles where the kernel has no /proc/kcore."""
    return "\n".join(line for line in sorted(text.split("\n")) if not re.search("labbox|total|kcore", line))


def _mounts(text: str) -> str:
    """Mount point, type and the options that matter, for the mounts that both must have."""
    shown = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()[0]
        options = sorted(set(fields[5].split(",")) - {"relatime", "noatime"})
        if fields[4] in MASKED:
            shown.append(fields[4])  # a null device of the host or of the container's own /dev
        if fields[4] in COMPARED_MOUNTS:
            shown.append(f"{fields[4]} {kind} {','.join(options)}")
    return "\n".join(sorted(shown))


COMPARED_MOUNTS = {
    "/proc", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
    "/proc/sysrq-trigger",
}  # fmt: skip
MASKED = {"/proc/kcore", "/proc/keys", "/proc/timer_list"}  # /proc/interrupts only since Docker 28: we do, always


class Line(NamedTuple):
    """A command line after `run --rm --network none`, and how its output is made comparable."""

    words: tuple[str, ...]
    shape: Callable[[str], str] = _same

    def __str__(self) -> str:
        return " ".join(self.words)[:60]


def tiny(*words: str, shape: Callable[[str], str] = _same) -> Line:
    """`run … tiny WORDS`, after flags that end with `--`."""
    flags, command = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else ((), words)
    return Line((*flags, TINY, *command), shape)


def script(*words: str, shape: Callable[[str], str] = _same) -> Line:
    """`run FLAGS tiny sh -c SCRIPT`: the last word is the script."""
    *flags, text = words
    return Line((*flags, TINY, "sh", "-c", text), shape)


STATUS = "grep -E '^({})' /proc/self/status"
ID = "id -u; id -g; id -G; echo $HOME"

LINES = [
    tiny("true"),
    tiny("false"),
    tiny("sh", "-c", "exit 200"),
    tiny("no-such-command"),
    tiny("/no/such/file"),
    tiny("/etc/passwd"),
    tiny("/tmp"),
    tiny("./relative"),
    script("--init", "kill -9 $$"),
    script("--init", "kill -15 $$"),
    tiny("echo", "one", "two"),
    tiny("--entrypoint", "echo", "--", "three"),
    tiny("--entrypoint", "", "--", "echo", "four"),
    tiny("--entrypoint", "/no/such", "--", "x"),
    script("echo out; echo err >&2"),
    script("cat"),
    script("env", shape=lambda text: _sorted_lines(_without_numbers(text))),
    script("-e", "A=1", "-e", "B=two words", "echo $A-$B"),
    script("-e", "PATH=/bin", "echo $PATH"),
    script("-e", "EMPTY=", "echo [$EMPTY]"),
    script("-e", "HOME=/x", "echo $HOME"),
    script("-h", "box", "hostname; cat /etc/hostname; echo $HOSTNAME"),
    script("-w", "/tmp", "pwd; echo $PWD"),
    script("-w", "/made/here", "pwd; stat -c '%a %u' /made /made/here"),
    tiny("-w", "/etc/passwd", "--", "true"),
    tiny("-w", "relative", "--", "true"),
    script("-u", "0", ID),
    script("-u", "1000", ID),
    script("-u", "developer", ID),
    script("-u", "tester", ID),
    script("-u", "tester:staff", ID),
    script("-u", "1234:29", ID),
    script("-u", "4321", ID),
    script("-u", "4321:4322", ID),
    script("-u", "tester", "--group-add", "audio", "--group-add", "777", ID),
    tiny("-u", "nobody-knows", "--", "true"),
    tiny("-u", "root:no-such-group", "--", "true"),
    tiny("-u", "0x0", "--", "true"),
    tiny("-u", "4294967296", "--", "true"),
    tiny("-u", "-1", "--", "true"),
    script(STATUS.format("Cap")),
    script("-u", "1000", STATUS.format("Cap")),
    script("--cap-drop", "ALL", STATUS.format("Cap")),
    script("--cap-drop", "ALL", "--cap-add", "NET_BIND_SERVICE", STATUS.format("Cap")),
    script("--cap-add", "SYS_PTRACE", STATUS.format("Cap")),
    script("--cap-drop", "CHOWN", "-u", "1000", STATUS.format("Cap")),
    tiny("--cap-add", "NO_SUCH", "--", "true"),
    script(STATUS.format("Seccomp:|NoNewPrivs|Groups|Uid|Gid|Umask|SigIgn|SigBlk")),
    script("--security-opt", "no-new-privileges", STATUS.format("Seccomp:|NoNewPrivs")),
    script("--security-opt", "seccomp=unconfined", STATUS.format("Seccomp:|NoNewPrivs")),
    tiny("--security-opt", "nonsense", "--", "true"),
    script("cat /proc/self/mountinfo", shape=_mounts),
    script("ls -l /dev | awk '{print $1, $NF}'", shape=_listed_devices),
    script("ls -l /dev/fd /dev/stdin /dev/stdout /dev/ptmx | awk '{print $(NF-2), $NF}'"),
    script("stat -c '%n %a %F' /dev /dev/shm /dev/pts /dev/null /proc /sys /tmp /etc/hosts /etc/resolv.conf"),
    script("ls -A /sys/firmware /proc/scsi /proc/acpi 2>/dev/null"),
    script("cat /proc/kcore | wc -c; cat /proc/keys | wc -c; cat /proc/timer_list | wc -c"),
    script("echo x > /proc/sys/kernel/hostname"),
    script("echo x > /proc/sysrq-trigger"),
    script("mount -t tmpfs none /tmp"),
    script("unshare -m true"),
    script("ulimit -c; umask"),
    script("--ulimit", "nofile=100:200", "ulimit -Sn; ulimit -Hn"),
    tiny("--ulimit", "nonsense=1", "--", "true"),
    tiny("--ulimit", "nofile=200:100", "--", "true"),
    script("--shm-size", "3m", "df -k /dev/shm | tail -1 | awk '{print $2}'"),
    script("--read-only", "touch /x; touch /dev/shm/x && echo fine; touch /tmp/x"),
    script("--tmpfs", "/scratch:size=1m,mode=700", "stat -c '%a %u' /scratch; df -k /scratch | awk 'END {print $2}'"),
    script("--tmpfs", "/scratch", "grep ' /scratch ' /proc/self/mountinfo | awk '{print $6}'"),
    script("-v", "/anonymous", "stat -c '%a %u' /anonymous; touch /anonymous/x && echo fine"),
    script("-v", "named:/data", "ls /data; cat /data/greeting; stat -c '%a %u:%g' /data/inner /data/inner/owned"),
    script("-v", "named:/data:ro", "touch /data/x"),
    script("-v", "{folder}:/w", "cat /w/file; touch /w/more && echo fine; rm /w/more"),
    script("-v", "{folder}:/w:ro", "touch /w/more"),
    script("-v", "{folder}/file:/one/file", "cat /one/file"),
    script("--mount", "type=bind,source={folder},target=/w,readonly", "cat /w/file; touch /w/x"),
    script("--mount", "type=tmpfs,target=/w", "touch /w/x && echo fine"),
    tiny("--mount", "type=bind,source=/no/such,target=/w", "--", "true"),
    tiny("--mount", "type=nonsense,target=/w", "--", "true"),
    tiny("-v", "relative/path:/w", "--", "true"),
    tiny("-v", "aa:/w", "-v", "bb:/w", "--", "true"),
    tiny("-v", "aa:relative", "--", "true"),
    script("--add-host", "other:10.1.2.3", "grep other /etc/hosts"),
    tiny("--add-host", "nonsense", "--", "true"),
    script("--dns", "192.0.2.53", "--dns-search", "example.org", "grep -c . /etc/resolv.conf >/dev/null; echo done"),
    script("--init", "echo started"),
    script("--no-healthcheck", "echo started"),
    script("cat /proc/self/oom_score_adj; cat /proc/self/loginuid >/dev/null; nice"),
    script("readlink /proc/self/ns/user | grep -c user"),
    script("echo one > /dev/stdout; echo two > /dev/stderr"),
    script("-u", "1000", "echo one > /dev/stdout"),
    script("mknod /tmp/null c 1 3 && echo made"),
    script("ping -c 1 -w 1 127.0.0.1 | grep -c 'bytes from'"),
    script("cat /sys/class/net/lo/operstate; ls /sys/class/net", shape=lambda text: "lo" if "lo" in text else text),
    script("stat -f -c %T /dev/shm; stat -f -c %T /proc"),
    tiny("--name", "../x", "--", "true"),
    tiny("--restart", "nonsense", "--", "true"),
    tiny("--no-such-flag", "--", "true"),
    tiny("--memory", "nonsense", "--", "true"),
    tiny("--stop-signal", "NONSENSE", "--", "true"),
    Line(("UPPER/case", "true")),
    Line(("tiny:no-such-tag-here", "true")),
    Line(("--pull", "never", "not-here", "true")),
]  # fmt: skip

# Not compared, because labbox knowingly does something else: /dev also refuses devices and programs (there is no device
# cgroup); a command is not process 1 unless asked (--no-init); `-p` binds loopback. Docker engines before 25 end `exec`
# of a missing program with 126, later ones and labbox with 127.


@only_root
@pytest.mark.parametrize("line", LINES, ids=str)
def test_run_does_what_docker_does(lab: Lab, docker: Docker, line: Line) -> None:
    folder = lab.folder("compared")
    with open(os.path.join(folder, "file"), "w", encoding="ascii") as file:
        file.write("content\n")
    words = [word.replace("{folder}", folder) for word in line.words]

    theirs = docker(*RUN, *words)
    ours = lab(*RUN, *words)

    assert ours.returncode == theirs.returncode, f"docker: {theirs.stderr}\nlabbox: {ours.stderr}"
    assert line.shape(ours.stdout) == line.shape(theirs.stdout)
    assert bool(ours.stderr) == bool(theirs.stderr), f"docker: {theirs.stderr!r}\nlabbox: {ours.stderr!r}"


VERBS = [
    (("rm", "nobody"), "No such container"),
    (("start", "nobody"), "No such container"),
    (("stop", "nobody"), "No such container"),
    (("kill", "nobody"), "No such container"),
    (("logs", "nobody"), "No such container"),
    (("exec", "nobody", "true"), "No such container"),
    (("wait", "nobody"), "No such container"),
    (("rename", "nobody", "other"), "No such container"),
    (("restart", "nobody"), "No such container"),
    (("attach", "nobody"), "No such container"),
    (("top", "nobody"), "No such container"),
    (("diff", "nobody"), "No such container"),
    (("port", "nobody"), "No such container"),
    (("export", "nobody"), "No such container"),
    (("commit", "nobody"), "No such container"),
    (("cp", "nobody:/x", "."), "No such container"),
    (("rmi", "nothing-here"), "No such image"),
    (("tag", "nothing-here", "other"), "No such image"),
    (("volume", "rm", "nothing-here"), "no such volume"),
    (("volume", "inspect", "nothing-here"), "no such volume"),
    (("inspect", "nothing-here"), "No such object"),
    (("image", "inspect", "nothing-here"), "No such image"),
    (("run",), "requires at least 1 argument"),
    (("exec", "only-a-name"), "requires at least 2 arguments"),
    (("rm",), "requires at least 1 argument"),
    (("no-such-verb",), "no-such-verb"),
    (("ps", "--no-such-flag"), "unknown flag"),
    (("ps", "extra"), "accepts no arguments"),
]


@only_root
@pytest.mark.parametrize(
    ("words", "phrase"), VERBS, ids=lambda value: " ".join(value) if isinstance(value, tuple) else None
)
def test_a_verb_fails_as_dockers_does(lab: Lab, docker: Docker, words: tuple[str, ...], phrase: str) -> None:
    theirs, ours = docker(*words), lab(*words)

    assert ours.returncode == theirs.returncode, f"docker: {theirs.stderr}\nlabbox: {ours.stderr}"
    assert phrase.lower() in theirs.stderr.lower()
    assert phrase.lower() in ours.stderr.lower()
    assert ours.stdout.strip() in {theirs.stdout.strip(), "", "[]"}


@only_root
def test_a_containers_life_is_told_in_the_same_words(lab: Lab, docker: Docker) -> None:
    """One story through both: every answer has the same exit code and, but for ids and times, the same output."""
    story = [
        ("create", "--name", "box", "--network", "none", TINY, "sh", "-c", "echo hello; exit 3"),
        ("ps", "-a", "--format", "{{.Names}} {{.State}} {{.Image}}"),
        ("start", "-a", "box"),
        ("ps", "-a", "--format", "{{.Names}} {{.State}}"),
        ("inspect", "--format", "{{.State.ExitCode}} {{.State.Status}} {{.Name}} {{.Config.Image}}", "box"),
        ("logs", "box"),
        ("start", "box"),
        ("wait", "box"),
        ("rename", "box", "other"),
        ("diff", "other"),
        ("stop", "other"),
        ("kill", "other"),
        ("exec", "other", "true"),
        ("rm", "other"),
        ("rm", "other"),
        ("run", "-d", "--name", "box", "--network", "none", TINY, "sleep", "1000"),
        ("rm", "box"),
        ("exec", "box", "sh", "-c", "echo in; exit 5"),
        ("exec", "-w", "/tmp", "-e", "A=b", "-u", "1000", "box", "sh", "-c", "pwd; echo $A; id -u"),
        ("run", "--name", "box", "--network", "none", TINY, "true"),
        ("kill", "-s", "NONSENSE", "box"),
        ("kill", "box"),
        ("wait", "box"),
        ("inspect", "--format", "{{.State.ExitCode}}", "box"),
        ("rm", "-f", "box"),
    ]
    for words in story:
        theirs, ours = docker(*words), lab(*words)
        assert ours.returncode == theirs.returncode, f"{words}\ndocker: {theirs.stderr}\nlabbox: {ours.stderr}"
        assert _without_numbers(ours.stdout) == _without_numbers(theirs.stdout), words
